"""Archives opened and created: which container a path holds is told by its content."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Literal

from sxeslake.archive.base import PROGRAM_MAGICS, SEVENZIP_MAGIC, ZIP_MAGICS, ArchiveWriter, Container
from sxeslake.archive.ranged_file import open_regular
from sxeslake.errors import InputError, NotAnArchiveError, UsageError
from sxeslake.model import ContainerKind, Limits

_LOG = logging.getLogger(__name__)

DEFAULT_LEVEL = 1  # fast deflate: half the size at the speed of a disk

ZIP_END = b"PK\x05\x06"
ZIP_TAIL_BYTES = 22 + 0xFFFF  # the end record and the longest comment


def sniff(path: Path) -> ContainerKind:
    """Tell what a path holds, by its content.

    Parameters
    ----------
    path : Path
        A file or folder.

    Returns
    -------
    {"folder", "7z", "zip"}
        The container.

    Raises
    ------
    NotAnArchiveError
        If it is none of these.
    InputError
        If it cannot be read.
    """
    if path.is_dir():
        return "folder"
    if path.exists() and not path.is_file():
        raise NotAnArchiveError("neither a file nor a folder", where=path)  # a pipe would block
    try:
        with BufferedReader(open_regular(path)) as file:
            head = file.read(8)
            if head.startswith(SEVENZIP_MAGIC):
                return "7z"
            if head.startswith(ZIP_MAGICS):
                return "zip"
            size = file.seek(0, 2)
            file.seek(max(0, size - ZIP_TAIL_BYTES))
            tail = file.read(ZIP_TAIL_BYTES)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=path) from error
    if ZIP_END in tail:  # a self-extractor: a program, then a zip
        return "zip"
    if head.startswith(PROGRAM_MAGICS):
        return "7z"  # a program, then a 7z perhaps: its reader looks for it
    raise NotAnArchiveError("empty file" if not size else "neither zip nor 7z, by its content", where=path)


def open_container(
    path: Path,
    *,
    encoding: str | None = None,
    limits: Limits | None = None,
    password: str | Sequence[str] = (),
) -> Container:
    """Open an archive or a folder, whichever `path` is.

    Parameters
    ----------
    path
        A zip, a 7z or a folder, told by its content.
    encoding
        Of names that are not UTF-8, such as `cp932`.
    limits
        What an archive may hold before it counts as a bomb.
    password
        Of an encrypted 7z or zip, or several to be tried; an archive that is not encrypted needs none.

    Returns
    -------
    Container
        Its members and their contents, until it is closed.

    Raises
    ------
    NotAnArchiveError, DamagedArchiveError, UnsupportedMethodError, UnsafeNameError, LimitExceededError
        The file is not one that can be read.
    EncryptedArchiveError
        It is encrypted, and no password fits.

    Examples
    --------
    >>> from pathlib import Path
    >>> from sxeslake.archive import open_container
    >>> with open_container(Path("locked.7z"), password="correct horse") as archive:  # doctest: +SKIP
    ...     [member.path for member in archive.members]
    ['metadata.json']
    """
    limits = limits or Limits()
    passwords = (password,) if isinstance(password, str) else password
    kind = sniff(path)
    _LOG.debug("%s is a %s", path, kind)
    # each reader brings its own decoders: only the one that is needed is loaded
    if kind == "folder":
        from sxeslake.archive.folder import FolderReader  # noqa: PLC0415

        return FolderReader(path, encoding=encoding, limits=limits)
    if kind == "zip":
        from sxeslake.archive.zip.reader import ZipReader  # noqa: PLC0415

        return ZipReader(path, encoding=encoding, limits=limits, passwords=passwords)
    from sxeslake.archive.sevenzip.reader import SevenZipReader  # noqa: PLC0415

    return SevenZipReader(path, limits=limits, passwords=passwords)


def create_writer(
    out: BinaryIO,
    container: Literal["zip", "7z"],
    *,
    level: int = DEFAULT_LEVEL,
    threads: int | None = None,
    comment: bytes = b"",
    password: str | None = None,
) -> ArchiveWriter:
    """Make a writer of either container over a seekable file.

    Parameters
    ----------
    out : binary file
        Where it is written; it must seek.
    container : {"zip", "7z"}
        The container.
    level : int
        0 copies, 1 to 3 are fast, 9 is smallest.
    threads : int, optional
        By default as many as there are cores.
    comment : bytes
        The comment of a zip.
    password : str, optional
        Encrypts a 7z, names too, and of a zip the contents, by AES-256 as WinZip does.

    Returns
    -------
    ArchiveWriter
        To `add` members to, and to close.

    Raises
    ------
    UsageError
        If the container cannot be encrypted.
    """
    if not 0 <= level <= 9:
        raise UsageError(f"level {level} is not one of 0 to 9")
    if container == "zip":
        from sxeslake.archive.zip.writer import ZipWriter  # noqa: PLC0415

        return ZipWriter(out, level=level, threads=threads, comment=comment, password=password)
    from sxeslake.archive.sevenzip.writer import SevenZipWriter  # noqa: PLC0415

    return SevenZipWriter(out, level=level, threads=threads, password=password)


def check_encryptable(container: ContainerKind, password: str | None) -> None:
    """Refuse to write a container in the clear for which there is a password."""
    if password is not None and container == "folder":
        hint = "Use -o NAME.7z, or -o NAME.zip, whose names stay readable."
        raise UsageError("a folder cannot be encrypted.", hint=hint)
