"""What this machine remembers of a lake, read without opening it: for a shell that waits for a name.

Nothing here asks the bucket, and nothing is proved: an answer may be old, and only serves to be completed. Names come
from the folded log as the last command left it; the files of a version are known once something has listed them:

    <cache>/<lake>/address          the URL of the lake
    <cache>/<lake>/members/ab12…    the paths of a version, one a line
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blake3 import blake3

from sxeslake.vault.local import private
from sxeslake.vault.log.state import CALIBRATIONS, Version, folder_of_layout

if TYPE_CHECKING:
    from sxeslake.format.manifest import ManifestRow

_ADDRESS: Final = "address"
_MEMBERS: Final = "members"
_LISTS_KEPT: Final = 64
_PATHS_KEPT: Final = 50_000
"""Of one version; nobody completes among more."""
_PATIENCE_S: Final = 0.05
"""How long another process may keep the database before nothing is known."""
_LAST: Final = "\U0010ffff"


class Remembered:
    """What is known of one lake; empty answers where nothing is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._database = folder.with_name(folder_of_layout(folder.name)) / "state.sqlite"

    def samples(self, prefix: str = "", *, status: str = "live") -> list[str]:
        """Names of samples that begin so, with a version of that status: live, forgotten or collected."""
        sql = "SELECT DISTINCT sample FROM versions WHERE status = ? AND sample >= ? AND sample < ? ORDER BY sample"
        return [name for (name,) in self._select(sql, (status, prefix, prefix + _LAST))]

    def versions(self, sample: str, *, status: str = "live") -> list[int]:
        """The numbers of a sample's versions of that status."""
        sql = "SELECT version FROM versions WHERE status = ? AND sample = ? ORDER BY version"
        return [number for (number,) in self._select(sql, (status, sample))]

    def tags(self, sample: str) -> dict[str, int]:
        """The tags of a sample, each with its version."""
        return dict(self._select("SELECT tag, version FROM tags WHERE sample = ? AND kind = 'tag'", (sample,)))

    def annotations(self) -> list[tuple[str, str]]:
        """The keys and values that people have used."""
        return self._select("SELECT DISTINCT key, value FROM annotations ORDER BY key, value")

    def calibrations(self) -> dict[str, dict[str, Any]]:
        """The registered calibrations by id, the newest last."""
        try:
            return {name: json.loads(record) for name, record in self._select(CALIBRATIONS)}
        except ValueError:
            return {}

    def members(self, ref: str) -> list[str]:
        """The paths in a version, `map`, `map@2` or `map@paper`, in archive order; folders end in a slash."""
        sample, at, word = ref.rpartition("@")
        number: int | None = None
        if at and word.isascii() and word.isdigit():
            number = int(word)
        elif at:
            number = self.tags(sample).get(word)
        if number is None:
            sample, number = ref, max(self.versions(ref), default=None)
        try:
            return _list_of(self.folder, sample, number or 0).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return []

    def _select(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            address = f"{self._database.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE_S)) as db:
                return db.execute(sql, values).fetchall()
        except (sqlite3.Error, ValueError):  # no such file, damage, a text that is none: nothing is known
            return []


def find(cache: Path, url: str) -> Remembered | None:
    """What is known of the lake at a URL, as `Store.url` has it; the one used last where several have been there."""
    wanted = url.encode("utf-8", "surrogateescape")
    found = [path.parent for path in cache.glob(f"*/{_ADDRESS}") if _bytes_of(path) == wanted]
    return Remembered(max(found, key=_used)) if found else None


def note_address(folder: Path, url: str) -> None:
    """Keep the address of the lake whose cache folder this is."""
    path, data = folder / _ADDRESS, url.encode("utf-8", "surrogateescape")
    if _bytes_of(path) != data:
        with suppress(OSError):
            private.replace(path, data)


def noting_members(folder: Path, version: Version, rows: Iterable[ManifestRow]) -> Iterator[ManifestRow]:
    """The members of a version as they come; their paths are kept once all have been seen."""
    paths: list[str] = []
    for row in rows:
        if len(paths) <= _PATHS_KEPT:
            paths.append(row.member.path + ("/" if row.member.kind == "directory" else ""))
        yield row
    if len(paths) <= _PATHS_KEPT:
        _note_list(_list_of(folder, version.sample, version.version), [path for path in paths if path.isprintable()])


def _note_list(path: Path, lines: Sequence[str]) -> None:
    data = "\n".join(lines).encode()
    with suppress(OSError):
        if _bytes_of(path) == data:
            return
        private.make_folder(path.parent)
        private.replace(path, data)
        others = sorted(path.parent.glob("*"), key=_changed, reverse=True)
        for old in others[_LISTS_KEPT:]:
            old.unlink(missing_ok=True)


def _list_of(folder: Path, sample: str, version: int) -> Path:
    name = f"{sample}@{version}".encode("utf-8", "surrogatepass")
    return folder / _MEMBERS / blake3(name).hexdigest()[:24]


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _used(folder: Path) -> int:
    return _changed(folder.with_name(folder_of_layout(folder.name)) / "state.sqlite")


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
