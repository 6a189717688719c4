"""Where pulled archives go: a pure plan from what is wanted and what `-o` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from ..errors import UsageError
from ..model import ArchiveKind, ContainerKind

STDOUT = "-"

_CONTAINERS: Mapping[str, ContainerKind] = MappingProxyType(
    {".pl7z": "7z", ".7z": "7z", ".plzip": "zip", ".zip": "zip"}
)
_SUFFIXES: Mapping[tuple[ArchiveKind, ContainerKind], str] = MappingProxyType({
    ("sxes", "7z"): ".pl7z",
    ("sxes", "zip"): ".plzip",
    ("generic", "7z"): ".7z",
    ("generic", "zip"): ".zip",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """A version to pull, and the file or folder it came as: `2018/map`, 2, `map.plzip`, `zip`."""

    ref: str
    sample: str
    version: int
    kind: ArchiveKind
    source_name: str
    source_container: ContainerKind


@dataclass(frozen=True, slots=True)
class Target:
    """A version and the path that it becomes."""

    ref: str
    path: Path
    container: ContainerKind


def container_of(name: str) -> ContainerKind | None:
    """`x.pl7z` → `7z`; None where the suffix says nothing."""
    return _CONTAINERS.get(PurePosixPath(name).suffix.lower())


def one(wanted: Wanted, out: str | None, container: ContainerKind | None) -> Target:
    """One archive: a file whose suffix says the container, or `x/`: its files, unpacked into that folder."""
    if out is None:
        return _below(Path(), wanted, wanted.source_name, container)
    if _is_folder(out):
        if container in (None, "folder"):
            return Target(wanted.ref, Path(out), "folder")
        return _below(Path(out), wanted, wanted.source_name, container)
    return Target(wanted.ref, Path(out), container or container_of(out) or wanted.source_container)


def several(
    wanted: Sequence[Wanted], out: str | None, container: ContainerKind | None, *, as_source: bool
) -> list[Target]:
    """Many archives below a folder: each under its sample's name, or under the name it came with."""
    if out is not None and container_of(out) and not Path(out).is_dir() and not _is_folder(out):
        raise UsageError(
            "several archives do not go into one file", where=out, hint=f"Name a folder: -o {Path(out).stem}/."
        )
    folder = Path(out or ".")
    targets = []
    for item in wanted:
        name = PurePosixPath(item.sample)
        if as_source:
            targets.append(_below(folder, item, str(name.parent / item.source_name), container))
        else:
            suffix = PurePosixPath(item.source_name).suffix if item.source_container != "folder" else ""
            targets.append(_below(folder, item, item.sample + suffix, container))
    return _apart(targets, wanted)


def _below(folder: Path, wanted: Wanted, name: str, container: ContainerKind | None) -> Target:
    """The path of an archive below a folder; its suffix follows the container that was asked for."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or not pure.name:
        raise UsageError("this name does not stay in a folder; name the file with -o", where=wanted.ref)
    chosen = container or wanted.source_container
    if chosen != wanted.source_container or (chosen != "folder" and container_of(name) not in (None, chosen)):
        stem = pure.with_suffix("") if container_of(name) else pure
        pure = stem.with_name(stem.name + _SUFFIXES.get((wanted.kind, chosen), ""))
    return Target(wanted.ref, folder.joinpath(*pure.parts), chosen)


def _apart(targets: Sequence[Target], wanted: Sequence[Wanted]) -> list[Target]:
    """Versions that would share a path get their number: `map@1.plzip`, `map@2.plzip`."""
    paths = [str(target.path).casefold() for target in targets]  # also where case makes no difference
    return [
        replace(target, path=_numbered(target, item)) if paths.count(path) > 1 else target
        for target, item, path in zip(targets, wanted, paths, strict=True)
    ]


def _numbered(target: Target, item: Wanted) -> Path:
    suffix = target.path.suffix if container_of(target.path.name) else ""
    return target.path.with_name(f"{target.path.name.removesuffix(suffix)}@{item.version}{suffix}")


def _is_folder(out: str) -> bool:
    return out.endswith(("/", "\\")) or out in (".", "..") or Path(out).is_dir()
