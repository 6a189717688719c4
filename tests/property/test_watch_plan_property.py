"""Whatever a folder shows, in whatever order: what is taken was unchanged for the settle time, each version once."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sxeslake.watching import plan
from sxeslake.watching.plan import Signature, WatchedItem

SETTLE_S = 10.0
EVERY_S = 4.0
PATHS = ("a.zip", "sub/b.zip")
paths = st.sampled_from(PATHS)


@dataclass(slots=True)
class Truth:
    """A file as it is, and the looks at it that saw the same: the last ones, one after another, with boot and time."""

    signature: Signature | None = None
    last: Signature | None = None
    inode_changes: int = 0
    same: list[tuple[int, float]] = field(default_factory=list)
    taken: list[Signature] = field(default_factory=list)

    def look(self, boot: int, now: float, found: Signature | None) -> None:
        """A round saw this, or nothing."""
        if found is None:
            self.same.clear()
            return
        is_same = self.last is not None and found[:2] == self.last[:2]
        if is_same and self.last is not None and found.inode != self.last.inode:
            self.inode_changes += 1
            is_same = self.inode_changes > 2
        if not is_same:
            self.same.clear()
        self.last = found
        self.same.append((boot, now))

    def longest_s(self) -> float:
        """How long it was seen to be the same by one clock."""
        boots = {boot for boot, _ in self.same}
        spans = [[at for each, at in self.same if each == boot] for boot in boots]
        return max((max(span) - min(span) for span in spans), default=-1.0)


class WatchedFolder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.boot, self.now, self.number = 0, 1000.0, 0
        self.items: dict[str, WatchedItem] = {}
        self.files = {path: Truth() for path in PATHS}

    def fresh(self) -> int:
        self.number += 1
        return self.number

    @rule(path=paths)
    def writes(self, path: str) -> None:
        """The instrument writes; its clock may say anything."""
        number = self.fresh()
        self.files[path].signature = Signature(number, 10**18 - 7 * number, number)

    @rule(path=paths)
    def appears_in_time(self, path: str) -> None:
        """A file that is then left alone for as long as chance will have it."""
        if self.files[path].signature is None:
            self.writes(path)

    @rule(path=paths)
    def replaces_with_an_old_file(self, path: str) -> None:
        taken = self.files[path].taken
        if taken:
            self.files[path].signature = taken[-1]

    @rule(path=paths)
    def inode_changes(self, path: str) -> None:
        found = self.files[path].signature
        if found is not None:
            self.files[path].signature = found._replace(inode=self.fresh())

    @rule(path=paths)
    def deletes(self, path: str) -> None:
        self.files[path].signature = None

    @rule(path=paths, other=paths)
    def renames(self, path: str, other: str) -> None:
        if path != other:
            self.files[other].signature, self.files[path].signature = self.files[path].signature, None

    @rule(
        seconds=st.sampled_from([0.0, 3.0, 6.0, 11.0]),
        hides=st.sampled_from(["nothing", "nothing", "nothing", "nothing", "sub", "all"]),
        outcomes=st.fixed_dictionaries({path: st.sampled_from(["whole", "cut", "not yet"]) for path in PATHS}),
    )
    def a_round(self, seconds: float, hides: str, outcomes: dict[str, str]) -> None:
        """Time goes by, the folder is looked at, and what is ready is taken, or fails, or waits for the lake."""
        self.now += seconds
        self.looks(hides)
        for path in plan.ready(self.items):
            self.takes(path, outcomes[path])

    def looks(self, hides: str) -> None:
        seen = {path: truth.signature for path, truth in self.files.items() if truth.signature is not None}
        if hides == "all":
            self.items.update(plan.away(self.items))
            listed = {}
        else:
            listed = {path: ("file", one) for path, one in seen.items() if not path.startswith(f"{hides}/")}
            is_hidden = lambda path: path.startswith(f"{hides}/")  # noqa: E731
            self.items.update(plan.observe(self.items, listed, is_hidden, self.now, SETTLE_S))
        for path, truth in self.files.items():
            truth.look(self.boot, self.now, listed[path][1] if path in listed else None)

    @rule(begins_at=st.sampled_from([5.0, 10_000.0]))
    def the_machine_is_started_again(self, begins_at: float) -> None:
        """The monotonic clock begins at another time, which may be later than the last one."""
        self.boot, self.now = self.boot + 1, begins_at
        self.items = {path: plan.after_restart(item, self.now) for path, item in self.items.items()}
        for truth in self.files.values():
            if truth.same:  # the last look was before this moment: what is found unchanged was so in between
                truth.same.append((self.boot, self.now))

    def takes(self, path: str, outcome: str) -> None:
        item, truth = self.items[path], self.files[path]
        assert truth.longest_s() >= SETTLE_S, "it was seen unchanged for the settle time"
        assert item.signature not in truth.taken, "a version is taken once"
        if outcome == "whole":
            self.items[path] = plan.taken(item, "sample", 1)
            truth.taken.append(item.signature)
        elif outcome == "cut":
            self.items[path] = plan.failed(item, "cut", self.now, EVERY_S)

    @invariant()
    def what_is_ready_is_known_to_be_there(self) -> None:
        for path in plan.ready(self.items):
            assert self.items[path].state == "settled"
            assert not self.items[path].is_unwatched

    @invariant()
    def the_queue_says_what_it_means(self) -> None:
        for item in self.items.values():
            assert Signature.parse(item.signature.text()) == item.signature
            if item.state == "taken":
                assert item.taken is not None
                assert item.taken[:2] == item.signature[:2]
        assert sum(plan.counted(self.items.values()).values()) == len(self.items)


WatchedFolder.TestCase.settings = settings(max_examples=80, stateful_step_count=40)
TestWatchedFolder = WatchedFolder.TestCase
