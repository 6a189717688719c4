"""Recipes that rebuild a vendor's files bit for bit from members of a group: `sources/<sha256>.json`. Pure.

For writers: `residue_path` says where bytes go that no other member has; `OriginalFile` and `FilePart` say what a file
is made of, and `recipe_json` makes the document, whose name is the SHA-256 of its bytes (`documents.text.dump`). For
readers: `read_recipe` refuses what does not hold together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sxeslake.archive.names import check_names
from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import mapping, objects, strings
from sxeslake.archive.sxes.documents.units import number, text
from sxeslake.errors import DamagedArchiveError


class FilePart(NamedTuple):
    """A run of a member's bytes: `FilePart("data/5a…/xes.data", 139332)`.

    Attributes
    ----------
    member : str
        Path of the member.
    length : int
        How many bytes are taken.
    offset : int
        From which byte on.

    Examples
    --------
    >>> from sxeslake.archive import FilePart
    >>> FilePart("data/5a/xes.data", 139332)
    FilePart(member='data/5a/xes.data', length=139332, offset=0)
    """

    member: str
    length: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class OriginalFile:
    """One of the vendor's files.

    Attributes
    ----------
    path : str
        Below the root, with ``/``.
    sha256 : str
        Of the whole file, in hexadecimal.
    size : int
        In bytes.
    parts : tuple of FilePart
        What it is made of, in order.
    modified_s : float or None
        When it was changed last, in seconds since 1970, UTC.

    Examples
    --------
    >>> from sxeslake.archive import create_group
    >>> source = create_group().add_source("Ti_0001_QLW", [("MAP.cnd", [b"$KV 15"])])
    >>> [(file.path, file.size, len(file.parts)) for file in source.files]
    [('MAP.cnd', 6, 1)]
    """

    path: str
    sha256: str
    size: int
    parts: tuple[FilePart, ...]
    modified_s: float | None = None


@dataclass(frozen=True, slots=True)
class OriginalsRecipe:
    """A folder of a vendor's files.

    Attributes
    ----------
    root : str
        The folder's own name, ``"Ti_0001_QLW"``.
    files : tuple of OriginalFile
        In the order in which they were read.
    tool : str or None
        What wrote the recipe.
    folders : tuple of str
        Folders in which there is nothing.
    """

    root: str
    files: tuple[OriginalFile, ...]
    tool: str | None = None
    folders: tuple[str, ...] = ()

    @property
    def members(self) -> set[str]:
        """The members that it takes bytes from."""
        return {part.member for file in self.files for part in file.parts}

    @property
    def residues(self) -> set[str]:
        """Those of them that nothing else is made of: `residue/<sha256>`."""
        return {member for member in self.members if member.startswith(f"{layout.RESIDUE}/")}


def residue_path(data: bytes) -> str:
    """Where bytes go that no other member has."""
    return layout.hashed_path(layout.RESIDUE, hashlib.sha256(data).hexdigest())


def recipe_json(recipe: OriginalsRecipe) -> dict[str, Any]:
    """The document of `sources/`."""
    files = []
    for file in recipe.files:
        parts = [
            {"member": part.member, "length": part.length} | ({"offset": part.offset} if part.offset else {})
            for part in file.parts
        ]
        fields: dict[str, Any] = {"path": file.path, "sha256": file.sha256, "size": file.size, "parts": parts}
        files.append(fields if file.modified_s is None else {**fields, "mtime": file.modified_s})
    folders = {"folders": list(recipe.folders)} if recipe.folders else {}
    return {"root": recipe.root, **({"tool": recipe.tool} if recipe.tool else {}), "files": files, **folders}


def read_recipe(value: object, where: object = None) -> OriginalsRecipe:
    """A document of `sources/`.

    Raises
    ------
    DamagedArchiveError
        If a file's parts are not as long as the file, or a field cannot be read.
    UnsafeNameError
        If a path leaves the folder, or two files have one.
    """
    fields = mapping(value)
    files = fields.get("files")
    if not isinstance(files, list) or not all(isinstance(each, dict) for each in files):
        raise DamagedArchiveError("this source has no list of files", where=where)
    found = tuple(_read_file(each, where) for each in objects(files))
    folders = tuple(strings(fields.get("folders")))
    check_names(lambda: [*((file.path, False) for file in found), *((path, True) for path in folders)], where=where)
    return OriginalsRecipe(text(fields.get("root")) or "", found, text(fields.get("tool")), folders)


def _read_file(fields: Mapping[str, object], where: object) -> OriginalFile:
    path, sha256, size, parts = (fields.get(key) for key in ("path", "sha256", "size", "parts"))
    if not isinstance(path, str) or not isinstance(sha256, str) or not _is_count(size) or not isinstance(parts, list):
        shown = json.dumps(fields.get("path"), default=str)[:80]
        raise DamagedArchiveError(f"the file {shown} lacks its path, sha256, size or parts", where=where)
    taken = tuple(_read_part(part, path, where) for part in parts)
    total = sum(part.length for part in taken)
    if total != size:
        raise DamagedArchiveError(f"the parts of {path} are {total:,} bytes, and it has {size:,}", where=where)
    return OriginalFile(path, sha256, total, taken, number(fields.get("mtime")))


def _read_part(value: object, path: str, where: object) -> FilePart:
    fields = mapping(value)
    member, length, offset = fields.get("member"), fields.get("length"), fields.get("offset", 0)
    if not isinstance(member, str) or not isinstance(length, int) or not isinstance(offset, int):
        raise DamagedArchiveError(f"a part of {path} lacks its member or length", where=where)
    if _is_count(length) and _is_count(offset):
        return FilePart(member, length, offset)
    raise DamagedArchiveError(f"a part of {path} lacks its member or length", where=where)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def taken_from(parts: Sequence[FilePart], contents: Mapping[str, bytes], where: object = None) -> bytes:
    """A file from the members that it is made of. Raises DamagedArchiveError where one is too short."""
    found = []
    for part in parts:
        piece = contents[part.member][part.offset : part.offset + part.length]
        if len(piece) != part.length:
            raise DamagedArchiveError(f"{part.member} ends before byte {part.offset + part.length:,}", where=where)
        found.append(piece)
    return b"".join(found)
