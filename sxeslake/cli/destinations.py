"""Where several pulled archives go: a pure plan from what is wanted and what `-o` says."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sxeslake.archive.names import percent
from sxeslake.disk.output import names_folder, plain_name
from sxeslake.errors import UsageError

STDOUT = "-"
_MAX_STEP_BYTES = 240  # file systems hold 255; a pull needs some for its temporary name
_SUFFIXES = (".pl7z", ".7z", ".plzip", ".zip")


@dataclass(frozen=True, slots=True)
class PullTarget:
    """A version to pull and the file or folder it would be by itself: `2018/map@2`, `map.plzip`."""

    ref: str
    file_name: str

    @property
    def sample(self) -> str:
        """`2018/map@2` → `2018/map`."""
        return self.ref.rpartition("@")[0]

    @property
    def version(self) -> str:
        """`2018/map@2` → `2`."""
        return self.ref.rpartition("@")[2]


def is_folder(out: str) -> bool:
    """Whether `-o` names a folder: `out/`, `.`, or one that is there."""
    return names_folder(out)


def below(out: str | None, wanted: Sequence[PullTarget], *, as_source: bool) -> list[Path]:
    """A path below the folder `out` for each: its sample's name, or the name it came with; no two the same."""
    if out is not None and archive_suffix(out) and not is_folder(out):
        raise UsageError(
            "several archives do not go into one file.", where=out, hint=f"Name a folder: -o {Path(out).stem}/"
        )
    names = [_as_it_came(item) if as_source else _by_sample(item) for item in wanted]
    if out is None:
        names = [_plain(name) for name in names]
    folded = [str(name).casefold() for name in names]  # also where case makes no difference
    times = Counter(folded)
    apart = [
        _inside(_numbered(name, item) if times[fold] > 1 else name)
        for name, item, fold in zip(names, wanted, folded, strict=True)
    ]
    return [Path(out or ".").joinpath(*name.parts) for name in _distinct(apart)]


def archive_suffix(name: str) -> str:
    """`x.pl7z` → `.pl7z`; empty where the suffix is no archive's."""
    suffix = PurePosixPath(name).suffix
    return suffix if suffix.lower() in _SUFFIXES else ""


def _by_sample(item: PullTarget) -> PurePosixPath:
    return _plain(PurePosixPath(item.sample + archive_suffix(item.file_name)))


def _plain(path: PurePosixPath) -> PurePosixPath:
    """`a/.git` → `a/_git`: no name that others chose is hidden, or configures a program. `..` is refused later."""
    return PurePosixPath(*(step if step == ".." else plain_name(step) for step in path.parts))


def _as_it_came(item: PullTarget) -> PurePosixPath:
    return PurePosixPath(item.sample).parent / item.file_name


def _numbered(name: PurePosixPath, item: PullTarget) -> PurePosixPath:
    """`map.plzip` → `map@2.plzip`: versions of one sample stay apart."""
    suffix = archive_suffix(name.name)
    return name.with_name(f"{name.name.removesuffix(suffix)}@{item.version}{suffix}")


def _inside(name: PurePosixPath) -> PurePosixPath:
    """A path that stays in a folder and that disks can hold: `a\\b` → `a%5Cb`, `../x` → `%2E%2E/x`.

    Only what needs it is changed, so that one odd name of a lake does not keep the others from coming out.
    """
    return (
        PurePosixPath(*(_holdable(step) for step in name.parts if step != "/")) if name.name else PurePosixPath("%2E")
    )


def _holdable(step: str) -> str:
    if step == "..":
        return "%2E%2E"
    if "\\" in step or "\0" in step:
        step = "".join(percent(letter) if letter in "\\\0%" else letter for letter in step)
    if len(os.fsencode(step)) <= _MAX_STEP_BYTES:
        return step
    suffix = archive_suffix(step)
    digest = hashlib.sha256(os.fsencode(step)).hexdigest()[:16]
    return f"{_cut(step.removesuffix(suffix), _MAX_STEP_BYTES - 40)}-{digest}{suffix}"


def _cut(text: str, size: int) -> str:
    """The beginning of a text, of at most `size` bytes."""
    return os.fsencode(text)[:size].decode("utf-8", "ignore")


def _distinct(names: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """The same names, the later of any two that a disk may take for one with a number: `map.zip` → `map~2.zip`."""
    seen: set[str] = set()
    found: list[PurePosixPath] = []
    for name in names:
        number, made = 1, name
        while str(made).casefold() in seen:
            number += 1
            suffix = archive_suffix(name.name)
            made = name.with_name(f"{name.name.removesuffix(suffix)}~{number}{suffix}")
        seen.add(str(made).casefold())
        found.append(made)
    return found
