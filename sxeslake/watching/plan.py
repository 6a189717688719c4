"""What to do with what a folder shows: pure, from the last observation and the present one.

    seen ──still for the settle time──▶ settled ──taken into the lake──▶ taken
      ▲                                    │  ▲
      └────────── it changes ◀─────────────┤  └── its time has come ── failed
                                           └──▶ failed, ignored

A file is still while its size, its time of modification and its inode are those of the last look. How long it was so
is told by one monotonic clock of this machine: clocks of instruments and servers may be wrong by hours, and times of
files are compared for equality only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

State = Literal["seen", "settled", "taken", "failed", "ignored", "gone"]
"""seen: it may still grow; settled: it was still, and waits to be taken; taken: this content is in the lake; failed: it
could not be taken, and is tried again; ignored: nothing that the lake takes; gone: it is not in the folder any more."""

Kind = Literal["file", "folder", "loose"]
"""file: an archive; folder: an unpacked group or what an instrument wrote; loose: the files that lie directly in a
watched folder in which there are no archives, from which it shows whether that folder is a measurement itself."""

OPEN: Final[frozenset[State]] = frozenset({"seen", "settled", "failed"})
"""States of what is yet to be taken."""

_INODES_TRUSTED: Final = 2
"""How often an inode may change by itself: file systems in user space make them up, and then they tell nothing."""
_LONGEST_WAIT_S: Final = 6 * 3600.0


class Signature(NamedTuple):
    """What tells that something was not touched. Of a folder: the sum, the newest time, and a digest of the listing."""

    size: int
    modified_ns: int
    inode: int = 0
    digest: str = ""

    def text(self) -> str:
        """One word for a database: `1204:1764230400000000000:77:`."""
        return f"{self.size}:{self.modified_ns}:{self.inode}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Signature:
        """The signature that a word says; ValueError where it says none."""
        size, modified_ns, inode, digest = text.split(":")
        return cls(int(size), int(modified_ns), int(inode), digest)


@dataclass(frozen=True, slots=True)
class WatchedItem:
    """One archive or folder of an instrument, as it is known."""

    kind: Kind
    signature: Signature
    state: State
    still_since: float
    """Since when it is still, by the monotonic clock."""
    inode_changes: int = 0
    taken: Signature | None = None
    """The content that the lake has, also while something else is in its place."""
    attempts: int = 0
    retry_at: float = 0.0
    reason: str | None = None
    sample: str | None = None
    version: int | None = None
    is_unwatched: bool = False
    """Whether it could not be looked at in the last round: what happened meanwhile is not known."""


def observe(
    items: Mapping[str, WatchedItem],
    listed: Mapping[str, tuple[Kind, Signature]],
    is_unlisted: Callable[[str], bool],
    now: float,
    settle_s: float,
) -> dict[str, WatchedItem]:
    """The items that a look at a folder changes, by their relative paths.

    `is_unlisted` tells of a path whether the folder that it lies in could not be listed.
    """
    changed = dict[str, WatchedItem]()
    for path, (kind, signature) in listed.items():
        known = items.get(path)
        item = _met(known, kind, signature, now)
        if item.state == "seen" and now - item.still_since >= settle_s:
            item = replace(item, state="settled")
        if item != known:
            changed[path] = item
    for path, known in items.items():
        if path in listed or known.state == "gone":
            continue
        item = _missed(known) if is_unlisted(path) else replace(known, state="gone", reason=None, is_unwatched=False)
        if item != known:
            changed[path] = item
    return changed


def away(items: Mapping[str, WatchedItem]) -> dict[str, WatchedItem]:
    """The items that change when their whole folder cannot be looked at: none is gone, none counts as still."""
    return {path: item for path, known in items.items() if (item := _missed(known)) != known}


def after_restart(item: WatchedItem, now: float) -> WatchedItem:
    """What is known of an item once the monotonic clock has begun again: nothing of what it measured."""
    return replace(item, still_since=now, retry_at=now)


def taken(item: WatchedItem, sample: str, version: int) -> WatchedItem:
    """The item, once the lake has it."""
    return replace(
        item, state="taken", taken=item.signature, attempts=0, retry_at=0.0, reason=None, sample=sample, version=version
    )


def failed(item: WatchedItem, reason: str, now: float, every_s: float) -> WatchedItem:
    """The item, once it could not be taken; it is tried again when it changes, or when its time has come."""
    attempts = item.attempts + 1
    return replace(
        item, state="failed", attempts=attempts, retry_at=now + wait_s(attempts, every_s), reason=reason
    )  # fmt: skip


def ignored(item: WatchedItem, reason: str) -> WatchedItem:
    """The item, once it showed to be nothing that the lake takes."""
    return replace(item, state="ignored", attempts=0, retry_at=0.0, reason=reason)


def touched(item: WatchedItem, now: float) -> WatchedItem:
    """The item, where it changed just before it was taken: the next look tells how."""
    return replace(item, state="seen", still_since=now)


def wait_s(attempts: int, every_s: float) -> float:
    """How long to wait after so many failures: one round, then twice as long each time, six hours at most."""
    return min(_LONGEST_WAIT_S, every_s * 2.0 ** min(attempts - 1, 40))


def ready(items: Mapping[str, WatchedItem]) -> list[str]:
    """What may be taken now, in order."""
    return sorted(path for path, item in items.items() if item.state == "settled" and not item.is_unwatched)


def settling(items: Mapping[str, WatchedItem], settle_s: float) -> float | None:
    """When the last of what was seen will have been still for long enough; None where nothing is to be waited for."""
    waiting = [item.still_since + settle_s for item in items.values() if item.state == "seen" and not item.is_unwatched]
    return max(waiting, default=None)


def counted(items: Collection[WatchedItem]) -> dict[State, int]:
    """How many items are in each state."""
    tally: dict[State, int] = dict.fromkeys(("seen", "settled", "taken", "failed", "ignored", "gone"), 0)
    for item in items:
        tally[item.state] += 1
    return tally


def open_items(items: Mapping[str, WatchedItem]) -> Iterator[tuple[str, WatchedItem]]:
    """What is yet to be taken, in order of path."""
    return ((path, items[path]) for path in sorted(items) if items[path].state in OPEN)


def _met(known: WatchedItem | None, kind: Kind, signature: Signature, now: float) -> WatchedItem:
    """What is there, compared with what was."""
    if known is None or known.kind != kind:
        return WatchedItem(kind, signature, "seen", now)
    same, inode_changes = _same(known, signature)
    if known.taken is not None and (signature == known.taken or (same and known.state == "taken")):
        # Never changed, or back as it was: the lake has it.
        return replace(known, signature=signature, state="taken", inode_changes=inode_changes, is_unwatched=False)
    if not same or known.state == "gone":
        return WatchedItem(
            kind, signature, "seen", now, inode_changes, known.taken, sample=known.sample, version=known.version,
            reason=known.reason if kind == "loose" else None,
        )  # fmt: skip
    item = replace(known, signature=signature, is_unwatched=False)
    if known.is_unwatched and known.state in OPEN:
        return replace(item, state="seen", still_since=now)
    # A clock that reads less than before would have it wait for longer than it says.
    item = replace(item, still_since=min(item.still_since, now))
    if known.state == "failed" and now >= known.retry_at:
        return replace(item, state="settled")
    return item


def _same(known: WatchedItem, signature: Signature) -> tuple[bool, int]:
    """Whether something is what it was, and how often its inode has changed without anything else."""
    before = known.signature
    if signature[:2] != before[:2] or signature.digest != before.digest:
        return False, known.inode_changes
    if signature.inode == before.inode:
        return True, known.inode_changes
    changes = known.inode_changes + 1
    return changes > _INODES_TRUSTED, changes


def _missed(known: WatchedItem) -> WatchedItem:
    return replace(known, is_unwatched=True) if known.state in OPEN else known
