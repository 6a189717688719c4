"""What a member's attributes say: file, folder, link or device; and which of them every container can express.

Attributes have the 7z form: Windows attributes in the low 15 bits; with bit 15, a Unix mode in the high 16 bits.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable

UNIX_ATTRIBUTES = 0x8000
WINDOWS_DIRECTORY = 0x10
WINDOWS_ARCHIVE = 0x20
WINDOWS_REPARSE = 0x400
MAX_TARGET_BYTES = 4096  # a longer path leads nowhere

_DEVICES = {stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK}


def unix_mode(attributes: int | None) -> int:
    """The Unix mode, type and permissions; 0 where there is none."""
    return attributes >> 16 & 0xFFFF if attributes and attributes & UNIX_ATTRIBUTES else 0


def is_link(attributes: int | None, size: int) -> bool:
    """Whether a member is a symbolic link: it has a link's Unix mode, and content that can be a path.

    The reparse bit of Windows does not make a link: files of cloud folders and deduplicated volumes have it, too.
    """
    return stat.S_ISLNK(unix_mode(attributes)) and 0 < size <= MAX_TARGET_BYTES


def special_reason(attributes: int | None) -> str | None:
    """Why a member has no content that could be kept, `is a device or a socket`; None where it may have.

    What came from a pipe is a file: archivers store what they read from it.
    """
    return "is a device or a socket" if stat.S_IFMT(unix_mode(attributes)) in _DEVICES else None


def expressible(attributes: int | None, *, is_directory: bool, size: int = 0) -> int | None:
    """The attributes without what readers of archives would misunderstand: what contradicts the member's kind."""
    if attributes is None:
        return None
    known = attributes & ~WINDOWS_REPARSE
    if is_directory:  # its name, or that it has no content, tells so
        return known
    known &= ~WINDOWS_DIRECTORY
    mode = unix_mode(attributes)
    if not stat.S_IFMT(mode) or is_link(attributes, size):
        return known
    return known & 0xFFFF | (stat.S_IFREG | stat.S_IMODE(mode)) << 16


def safe_target(path: str, target: bytes) -> str | None:
    """A link's target where following it cannot leave the folder that the archive is unpacked into; else None.

    Only leading steps may go up, and not beyond the root: `../b/c` from `a/link`. A `..` behind a name could lead out
    through another link.
    """
    try:
        text = target.decode()
    except UnicodeDecodeError:
        return None
    steps = text.split("/")
    up = next((place for place, step in enumerate(steps) if step != ".."), len(steps))
    is_plain = all(step not in ("", ".", "..") for step in steps[up:])
    if not text or not is_plain or up > path.count("/") or any(mark in text for mark in "\0\\:"):
        return None
    return text


def notes_on(members: Iterable[tuple[int, bool, int, int]]) -> tuple[str, ...]:
    """What a person should know; of each combination: attributes, whether folders, size, and how many members."""
    links = pipes = masked = 0
    for attributes, is_directory, size, count in members:
        mode = unix_mode(attributes)
        if not is_directory and is_link(attributes, size):
            links += count
        elif not is_directory and stat.S_ISFIFO(mode):
            pipes += count
        elif expressible(attributes, is_directory=is_directory, size=size) != attributes:
            masked += count
    notes = []
    if links:
        notes.append(f"{_members(links)} a symbolic link; links are kept and not followed")
    if pipes:
        notes.append(f"{_members(pipes)} from a pipe; its content is kept as a file")
    if masked:
        notes.append(
            f"{_members(masked)} attributes that no archive can express, such as the reparse bit; "
            "the lake keeps them, and a pull leaves them out"
        )
    return tuple(notes)


def _members(count: int) -> str:
    return f"{count:,} member{'s' * (count != 1)}:"
