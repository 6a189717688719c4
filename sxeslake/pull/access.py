"""A path in a lake, `2019/map@2/data/5/qlw.data`, and the version and member that it leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sxeslake.format.logentry import MAX_NAME_CHARS
from sxeslake.vault import refs

if TYPE_CHECKING:
    from sxeslake.reading.files import VersionFiles
    from sxeslake.vault.log.state import LogState, Version

ARCHIVE_SUFFIXES: Final = (".plzip", ".zip")
_LONGEST_REF: Final = MAX_NAME_CHARS + 128  # a sample's name, and behind its `@` a tag


class Located(NamedTuple):
    """What a path in a lake leads to: a version, and a member of it; None for the whole archive as one file.

    Attributes
    ----------
    files : VersionFiles
        The version's files.
    member : str or None
        The member's path, empty for the root; None for the whole archive as one file.

    Examples
    --------
    >>> files, member = lake.locate("map@1/metadata.json")
    >>> files.name, member
    ('map@1', 'metadata.json')
    """

    files: VersionFiles
    member: str | None


def locate(state: LogState, path: str) -> tuple[Version, str | None] | None:
    """The version and the member, "" for its root and None for it as one file; None where no name fits."""
    cuts = [at for at, letter in enumerate(path[:_LONGEST_REF]) if letter == "/"]
    for cut in (len(path), *reversed(cuts)):
        version = refs.find_exactly(state, path[:cut])
        if version is not None:
            return version, path[cut + 1 :]
    for suffix in ARCHIVE_SUFFIXES:
        version = refs.find_exactly(state, path.removesuffix(suffix)) if path.endswith(suffix) else None
        if version is not None:
            return version, None
    return None
