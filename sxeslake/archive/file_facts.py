"""What the file system says of files, folders and links that are to be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from sxeslake.archive.attributes import UNIX_ATTRIBUTES, WINDOWS_ARCHIVE, WINDOWS_DIRECTORY

Links = Literal["follow", "keep", "skip"]
"""What becomes of symbolic links in a folder. follow: they are read like what they lead to. keep: in a folder that is
one archive they are kept as links; a search for archives reads those that stay in the searched folders and reports
others. skip: none is read."""

NOT_PERMITTED = "no permission to read it"

_JUNCTION_TAG = 0xA000_0003  # of a folder that leads elsewhere on Windows
_EFFECTIVE = os.access in os.supports_effective_ids  # the rights of this process, not of who started it


def is_junction(facts: os.stat_result) -> bool:
    """Whether this is a link between folders of Windows, which no file mode shows."""
    return getattr(facts, "st_reparse_tag", 0) == _JUNCTION_TAG


def may_read(path: str | Path) -> bool:
    """Whether this process has the permission to read a file."""
    return os.access(path, os.R_OK, effective_ids=_EFFECTIVE)


def why_unread(error: OSError) -> str:
    """Why a file or folder cannot be read, for people."""
    return NOT_PERMITTED if isinstance(error, PermissionError) else f"cannot be read: {error.strerror or error}"


def attributes_of(facts: os.stat_result, *, is_folder: bool, is_link: bool) -> int:
    """A file's attributes in the form of 7z: those of Windows, else a Unix mode."""
    known = getattr(facts, "st_file_attributes", None)  # Windows tells them
    if known is not None and not is_link:
        return int(known) & 0x7FFF
    return (facts.st_mode & 0xFFFF) << 16 | UNIX_ATTRIBUTES | (WINDOWS_DIRECTORY if is_folder else WINDOWS_ARCHIVE)
