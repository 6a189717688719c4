"""What the files of a tree are: each goes to the surest reader, and what none takes is named by its first bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from .pictures import PICTURES, picture_kind
from .readers import READERS
from .readers.rosettasciio import FORMATS
from .reading import head_of
from .records import Finding, Reader
from .texts import looks_like_text
from .tree import Tree

_HEAD: Final = 512


class _KnownContent(NamedTuple):
    what: str
    suffixes: tuple[str, ...]


class _Magic(NamedTuple):
    start: bytes
    offset: int
    what: str
    suffixes: tuple[str, ...]


_MAGICS: Final = (
    _Magic(b"PK\x03\x04", 0, "zip", (".zip", ".plzip", ".xlsx", ".docx", ".pptx")),
    _Magic(b"7z\xbc\xaf\x27\x1c", 0, "7z", (".7z", ".pl7z")),
    _Magic(b"GIF8", 0, "GIF", (".gif",)),
    _Magic(b"\x89HDF\r\n\x1a\n", 0, "HDF5", (".h5", ".hdf5", ".h5oina", ".nxs", ".emd")),
    _Magic(b"%PDF-", 0, "PDF", (".pdf",)),
    _Magic(b"Standard Jet DB", 4, "Access database", (".mdb",)),
    _Magic(b"Standard ACE DB", 4, "Access database", (".accdb",)),
    _Magic(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0, "OLE document", (".doc", ".xls", ".ppt", ".msi", ".opj")),
    _Magic(b"\x1f\x8b", 0, "gzip", (".gz", ".tgz", ".elid")),
    _Magic(b"\x1f\x9d", 0, "compress", (".z",)),
    *(
        _Magic(start, each.offset, each.what, each.suffixes)
        for each in FORMATS
        if each.known_by_bytes
        for start in each.magics
    ),
)
_KNOWN: Final = (
    *(_KnownContent(each.name, each.suffixes) for each in PICTURES),
    *(_KnownContent(each.what, each.suffixes) for each in _MAGICS),
)
_TEXT_MARKS: Final = ((b"PictureSnap mode", "Probe for EPMA registration of a picture (.ACQ)"),)
"""What stands near the beginning of texts that are not read further."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file that no reader takes: what its first bytes say, and whether its suffix agrees."""

    path: str
    what: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Classified:
    """What a tree is: every file is in one finding, or left over."""

    findings: tuple[Finding, ...]
    leftovers: tuple[Leftover, ...]


def classify(tree: Tree, readers: Sequence[Reader] = READERS) -> Classified:
    """What the files of a tree are.

    Parameters
    ----------
    tree
        A folder, or a stored tree.
    readers
        Which formats are looked for; all that there are by default.

    Returns
    -------
    Classified
        Findings in order of path, without files that a surer one takes; what is left over, in order of path.
    """
    findings = [finding for reader in readers for finding in reader.classify(tree)]
    kept = _surest(findings)
    taken = {path for finding in kept for path in finding.files}
    leftovers = tuple(_leftover(tree, path) for path in tree.sizes if path not in taken)
    told = (replace(finding, notes=(*finding.notes, *_misnamed(tree, finding.files))) for finding in kept)
    return Classified(tuple(sorted(told, key=lambda finding: (finding.path, finding.reader))), leftovers)


def _surest(findings: Iterable[Finding]) -> list[Finding]:
    """Each file in the finding of the greatest confidence, of equal ones in the first; findings without files go."""
    taken: set[str] = set()
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda each: -each.confidence):
        files = tuple(path for path in finding.files if path not in taken)
        taken.update(files)
        if files:
            kept.append(finding if len(files) == len(finding.files) else replace(finding, files=files))
    return kept


def _misnamed(tree: Tree, files: Iterable[str]) -> Iterator[str]:
    """What files of a finding are, whose suffix says something else: `TIFF named .em, .psref`."""
    found: dict[str, set[str]] = {}
    for path in files:
        suffix = PurePosixPath(path).suffix.lower()
        content = _content_of(head_of(tree, path, _HEAD), tree.sizes[path])
        if content is not None and suffix and suffix not in content.suffixes:
            found.setdefault(content.what, set()).add(suffix)
    yield from (f"{what} named {', '.join(sorted(suffixes))}" for what, suffixes in found.items())


def _leftover(tree: Tree, path: str) -> Leftover:
    head = head_of(tree, path, _HEAD)
    if tree.sizes[path] and not head:
        return Leftover(path, "cannot be read")
    suffix = PurePosixPath(path).suffix.lower()
    content = _content_of(head, tree.sizes[path])
    if content is None:
        expected = next((each.what for each in _KNOWN if suffix in each.suffixes), None)
        what = "empty" if not head else _text(head) if looks_like_text(head) else "unknown"
        return Leftover(path, what, (f"named {suffix}, but is not {expected}",) if expected else ())
    is_odd = bool(suffix) and suffix not in content.suffixes
    notes = (f"is {content.what}, named {suffix}",) if is_odd else ()
    return Leftover(path, content.what, notes)


def _text(head: bytes) -> str:
    return next((what for mark, what in _TEXT_MARKS if mark in head), "text")


def _content_of(head: bytes, size: int) -> _KnownContent | None:
    """What the first bytes of a file say that it is."""
    if picture := picture_kind(head, size):
        return _KnownContent(picture.name, picture.suffixes)
    magic = next((each for each in _MAGICS if head[each.offset :].startswith(each.start)), None)
    return _KnownContent(magic.what, magic.suffixes) if magic else None
