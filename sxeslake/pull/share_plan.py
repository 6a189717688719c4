"""A whole share back: where every path that was ingested goes, below one folder.

The longest folder that all paths have in common is left out: `/data/epma/2019/map.plzip` and `/data/epma/x.zip` become
`2019/map.plzip` and `x.zip`. Paths of several hosts stand below a folder for each host.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from sxeslake.archive.names import percent
from sxeslake.vault.log.state import LogState, SourcePath, Version

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_MADE_HERE = {"migrated_from", "interpreted_from"}  # of a source: no file is it
_ESCAPED = re.compile(r"\\x([89a-f][0-9a-f])")  # a byte that is not UTF-8, see `ingest.source.text_of`


@dataclass(frozen=True, slots=True)
class Original:
    """A state of a path, and where it goes, in steps below a folder."""

    version: Version
    path: str
    host: str
    modified_ns: int | None
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SharePlan:
    """What is restored, folders before what lies in them; `left_out` are versions that are the newest of no path."""

    originals: list[Original]
    left_out: list[str]


def plan(state: LogState, *, all_versions: bool = False) -> SharePlan:
    """The newest state of every path; with `all_versions` the earlier ones beside it, as `map@1.plzip`."""
    live = {(version.sample, version.version): version for version in state.versions()}
    states: dict[tuple[str, str], dict[tuple[str, int], SourcePath]] = {}
    for known in state.paths():
        of_path = states.setdefault((known.host, known.path), {})
        of_path.pop((known.sample, known.version), None)
        of_path[known.sample, known.version] = known  # a state that came back is the newest again
    newest = [list(of_path.values())[-1] for of_path in states.values()]
    earlier = [known for of_path in states.values() for known in list(of_path.values())[:-1]]
    places = _places(states)
    taken = {places[known.host, known.path] for known in newest}
    originals = [
        Original(live[known.sample, known.version], known.path, known.host, known.modified_ns,
                 places[known.host, known.path])
        for known in newest
    ]  # fmt: skip
    for known in earlier if all_versions else ():
        steps = _free(places[known.host, known.path], known.version, taken)
        taken.add(steps)
        version = live[known.sample, known.version]
        originals.append(Original(version, known.path, known.host, known.modified_ns, steps))
    restored = {(original.version.sample, original.version.version) for original in originals}
    made_here = {name for name, version in live.items() if _MADE_HERE & version.archive.source.keys()}
    left_out = [version.name for name, version in live.items() if name not in restored | made_here]
    return SharePlan(sorted(originals, key=lambda original: original.steps), left_out)


def _places(paths: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Where each host and path goes: no two of them to one place."""
    steps = {(host, path): _steps(path) for host, path in paths}
    common = {host: _common([found[:-1] for (other, _), found in steps.items() if other == host]) for host, _ in steps}
    places: dict[tuple[str, str], tuple[str, ...]] = {}
    taken: set[tuple[str, ...]] = set()
    for (host, path), found in sorted(steps.items()):
        below = (*((host or "unknown host",) if len(common) > 1 else ()), *found[common[host] :])
        place = tuple(_holdable(step) for step in below)
        number, free = 1, place
        while free in taken:
            number += 1
            free = (*place[:-1], _with_suffix(place[-1], f"~{number}"))
        taken.add(free)
        places[host, path] = free
    return places


def _steps(path: str) -> tuple[str, ...]:
    """`/data/x.zip` → data, x.zip; `C:\\data\\x.zip` → C, data, x.zip."""
    if _WINDOWS.match(path):
        drive, *rest = PureWindowsPath(path).parts
        return (*(step for step in drive.replace(":", "").replace("/", "\\").split("\\") if step), *rest)
    steps = tuple(step for step in PurePosixPath(path).parts if step != "/")
    return tuple(map(_original_bytes, steps)) or ("archive",)


def _original_bytes(step: str) -> str:
    r"""`caf\xe9.zip` → the name with that byte, as file systems here take it."""
    if "\\x" not in step or os.name == "nt":
        return step
    parts = _ESCAPED.split(step)
    data = b"".join(bytes.fromhex(part) if at % 2 else os.fsencode(part) for at, part in enumerate(parts))
    return os.fsdecode(data)


def _common(folders: Sequence[tuple[str, ...]]) -> int:
    """How many steps all of some folders begin with."""
    if not folders:
        return 0
    low, high = min(folders), max(folders)
    return next((at for at, (one, other) in enumerate(zip(low, high, strict=False)) if one != other),
                min(len(low), len(high)))  # fmt: skip


def _holdable(step: str) -> str:
    """One path step as a file name: a name in the log can neither leave its folder nor add folders below it."""
    if step in ("..", "."):
        return step.replace(".", "%2E")
    return "".join(percent(letter) if letter in "/\0" or (os.name == "nt" and letter in '\\:*?"<>|') else letter
                   for letter in step) or "%20"  # fmt: skip


def _free(steps: tuple[str, ...], version: int, taken: set[tuple[str, ...]]) -> tuple[str, ...]:
    """`map.plzip` → `map@1.plzip`, or `map@1~2.plzip` where that is taken."""
    found, number = (*steps[:-1], _with_suffix(steps[-1], f"@{version}")), 1
    while found in taken:
        number += 1
        found = (*steps[:-1], _with_suffix(steps[-1], f"@{version}~{number}"))
    return found


def _with_suffix(name: str, words: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}{words}.{suffix}" if stem else f"{dot}{suffix}{words}"
