"""What has been still goes into the lake by the engine of `ingest`; what became of it goes into the queue at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sxeslake.archive.file_facts import why_unread
from sxeslake.errors import NotFoundError, SxeslakeError
from sxeslake.ingest import vendors
from sxeslake.ingest.report import LAKE_ERRORS, ArchiveReport, described
from sxeslake.watching import clock, plan
from sxeslake.watching.listing import LOOSE, MEASUREMENT, OTHER, path_of, signature_of
from sxeslake.watching.plan import WatchedItem

if TYPE_CHECKING:
    from sxeslake.ingest.talk import Watcher
    from sxeslake.lake import Lake

_LOG = logging.getLogger(__name__)

_MOST: Final = 200
_MOST_BYTES: Final = 4 << 30
"""Archives, and bytes of them, that are handed over at a time: what changes while others are read is seen."""

Keep = Callable[[Mapping[str, WatchedItem]], None]
"""Writes items of a folder into its queue."""


@dataclass(slots=True)
class Tally:
    """What became of what was taken in a round."""

    added: int = 0
    unchanged: int = 0
    bytes_read: int = 0
    bytes_stored: int = 0
    failures: list[str] = field(default_factory=list)


class Taking:
    """One watched folder, and the lake that takes what lies in it."""

    def __init__(
        self,
        root: Path,
        items: dict[str, WatchedItem],
        keep: Keep,
        tally: Tally,
        *,
        every_s: float,
        jobs: int | None = None,
        message: str | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        self._root, self._items, self._keep, self._tally = root, items, keep, tally
        self._every_s, self._jobs, self._message, self._watcher = every_s, jobs, message, watcher
        self._open: dict[str, str] = {}  # path → relative path of what the lake has at hand

    def run(self, lake: Lake) -> None:
        """Take all that is ready. Errors of the lake are raised, and what was not taken waits.

        KeyboardInterrupt where it was asked to end and something is left.
        """
        for chunk in _chunks(plan.ready(self._items), self._items):
            if self.asked_to_end():
                raise KeyboardInterrupt
            still = self._as_planned(chunk)
            if LOOSE in still:
                still.remove(LOOSE)
                self._judge_loose()
            if still:
                self._take(lake, still)

    def _as_planned(self, paths: Sequence[str]) -> list[str]:
        """What is as it was when the folder was listed; the next look tells what became of the rest."""
        still, touched = list[str](), dict[str, WatchedItem]()
        for path in paths:
            item = self._items[path]
            try:
                present = signature_of(path_of(self._root, path), item.kind)
            except OSError as error:
                _LOG.info("%s: %s", path, why_unread(error))
                present = None
            # An inode that some file systems make up is judged by the look at the folder alone.
            if present is not None and present._replace(inode=item.signature.inode) == item.signature:
                still.append(path)
            else:
                touched[path] = plan.touched(item, clock.now())
        self._put(touched)
        return still

    def _judge_loose(self) -> None:
        """Whether the files that lie directly in the watched folder are a measurement."""
        is_one = vendors.is_measurement(self._root, is_deep=False)
        self._put({LOOSE: plan.ignored(self._items[LOOSE], MEASUREMENT if is_one else OTHER)})

    def _take(self, lake: Lake, paths: Sequence[str]) -> None:
        self._open = {str(path_of(self._root, path)): path for path in paths}
        try:
            lake.ingest(
                list(self._open), below=self._root, jobs=self._jobs, message=self._message, watcher=self
            )  # fmt: skip
        except NotFoundError as error:
            if isinstance(error, LAKE_ERRORS) or not self._open:
                raise
            self._put_rest_aside()
        except LAKE_ERRORS:
            raise
        except SxeslakeError as error:
            self._fail_rest(str(error))
        except Exception as error:  # the next round must come, whatever an archive did to this one
            _LOG.info("the round went wrong", exc_info=error)
            self._fail_rest(f"an error in sxeslake: {described(error)}")
        else:
            self._put_rest_aside()

    def _put_rest_aside(self) -> None:
        """What the search of `ingest` made nothing of: it went away, or no reader knows what it is."""
        changed = dict[str, WatchedItem]()
        for place, path in self._open.items():
            item = self._items[path]
            if not Path(place).exists():
                changed[path] = plan.touched(item, clock.now())
            elif item.kind == "folder":
                changed[path] = plan.ignored(item, "no archive, and no reader recognises its files")
            else:
                changed[path] = plan.failed(item, "it could not be looked at", clock.now(), self._every_s)
        self._put(changed)
        self._open = {}

    def _fail_rest(self, reason: str) -> None:
        self._put({path: self._failed(path, reason) for path in self._open.values()})
        self._open = {}

    def _failed(self, path: str, reason: str) -> WatchedItem:
        self._tally.failures.append(f"{path_of(self._root, path)}: {reason}")
        return plan.failed(self._items[path], reason, clock.now(), self._every_s)

    def _put(self, changed: Mapping[str, WatchedItem]) -> None:
        self._items.update(changed)
        self._keep(changed)

    # --- as a `Watcher` of the ingest --------------------------------------------------------------------------------

    def done(self, archive: ArchiveReport, number: int, total: int, left_s: float | None) -> None:
        """An archive was read."""
        if self._watcher is not None:
            self._watcher.done(archive, number, total, left_s)

    def kept(self, archives: Sequence[ArchiveReport], commit: int | None) -> None:
        """What became of these is final: the queue is to say so before anything else happens."""
        changed = dict[str, WatchedItem]()
        for archive in archives:
            path = self._open.pop(archive.path, None)
            if path is not None:
                changed[path] = self._after(path, archive)
        self._put(changed)
        if self._watcher is not None:
            self._watcher.kept(archives, commit)

    def asked_to_end(self) -> bool:
        """Whether the watcher is to end."""
        return self._watcher is not None and self._watcher.asked_to_end()

    def _after(self, path: str, archive: ArchiveReport) -> WatchedItem:
        self._tally.bytes_read += archive.bytes_source
        if archive.status not in ("added", "unchanged") or archive.sample is None or archive.version is None:
            return self._failed(path, (archive.error or archive.status).removeprefix(f"{archive.path}: "))
        self._tally.bytes_stored += archive.bytes_stored
        self._tally.added += archive.status == "added"
        self._tally.unchanged += archive.status == "unchanged"
        if archive.left_out:
            return self._failed(path, f"left out: {'; '.join(archive.left_out)}")
        return plan.taken(self._items[path], archive.sample, archive.version)


def _chunks(paths: Sequence[str], items: Mapping[str, WatchedItem]) -> Iterator[list[str]]:
    chunk, size = list[str](), 0
    for path in paths:
        if chunk and (len(chunk) >= _MOST or size + items[path].signature.size > _MOST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(path)
        size += items[path].signature.size
    if chunk:
        yield chunk
