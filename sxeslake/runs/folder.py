"""Where records lie: `runs/<lake>/<command>/<start>-<random>.json` in the state folder, each written in one step.

All functions take the folder `runs`; `runs_dir()` is the user's.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sxeslake.disk.trouble import SUFFIX
from sxeslake.runs.record import RunRecord, decode, encode
from sxeslake.settings import state_dir

_LOG = logging.getLogger(__name__)

KEPT: Final = 100
"""Records that are kept of each command and lake; the last success beside them, however old it is."""

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9]+")
_LONGEST_WORD: Final = 40
_ABANDONED_S: Final = 600.0


def runs_dir() -> Path:
    """The folder of the records of this user on this machine."""
    return state_dir() / "runs"


def lake_key(lake: str) -> str:
    """The name of a lake's folder: `s3://epma/lake` → `lake-` and twelve digits of the URL's hash."""
    word = _NOT_PLAIN.sub("-", lake.rstrip("/\\").replace("\\", "/").rpartition("/")[2])[:_LONGEST_WORD].strip("-")
    digest = hashlib.sha256(lake.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"{word or 'lake'}-{digest}"


def write(folder: Path, record: RunRecord) -> Path:
    """Write a record, or write it anew; OSError where that cannot be done. A reader never sees half of it."""
    path = folder / lake_key(record.lake) / record.command / f"{record.id}.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # One name for all writes of a run: what a killed one leaves is one file, and `prune` removes it.
    made = path.with_name(f".{record.id}{SUFFIX}")
    try:
        made.write_bytes(encode(record))
        made.replace(path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
    return path


def lakes(folder: Path) -> list[str]:
    """The lakes that have records, sorted."""
    found = set[str]()
    for lake in _folders(folder):
        newest = next((record for command in _folders(lake) for record in _newest_first(command)), None)
        if newest is not None:
            found.add(newest.lake)
    return sorted(found)


def commands(folder: Path, lake: str) -> list[str]:
    """The commands that have records of a lake, sorted."""
    return sorted(path.name for path in _folders(folder / lake_key(lake)))


def newest_first(folder: Path, lake: str, command: str) -> Iterator[RunRecord]:
    """The records of one command on one lake; what cannot be read is left out."""
    return _newest_first(folder / lake_key(lake) / command)


def prune(folder: Path, record: RunRecord, keep: int = KEPT) -> None:
    """Remove the oldest records beside this one; the last success of each target stays. Failures are harmless."""
    place = folder / lake_key(record.lake) / record.command
    try:
        names = sorted((path for path in place.iterdir() if path.suffix in (".json", SUFFIX)), reverse=True)
    except OSError:
        return
    for left in (path for path in names if path.suffix == SUFFIX):
        if _age_s(left) > _ABANDONED_S:  # a younger one may be a record that is being written now
            _remove(left)
    names = [path for path in names if path.suffix == ".json"]
    if len(names) <= keep:
        return
    succeeded = set[str | None]()
    for number, path in enumerate(names):
        kept = _read(path)
        is_success = kept is not None and is_whole_success(kept)
        if number >= keep and not (is_success and kept is not None and kept.target not in succeeded):
            _remove(path)
        if is_success and kept is not None:
            succeeded.add(kept.target)


def is_whole_success(record: RunRecord) -> bool:
    """Whether a run did all that its command is for."""
    return record.result == "ok" and record.complete and not record.dry_run


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:  # it has its name by now
        return 0.0


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _LOG.debug("%s stays: %s", path, error)


def _folders(folder: Path) -> list[Path]:
    """The folders in one that may be absent."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _newest_first(place: Path) -> Iterator[RunRecord]:
    try:
        names = sorted((path for path in place.iterdir() if path.suffix == ".json"), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return
    for path in names:
        record = _read(path)
        if record is not None:
            yield record


def _read(path: Path) -> RunRecord | None:
    try:
        return decode(path.read_bytes())
    except FileNotFoundError:  # pruned meanwhile
        return None
    except (OSError, ValueError) as error:
        _LOG.info("%s is not a record of a run: %s", path, error)
        return None
