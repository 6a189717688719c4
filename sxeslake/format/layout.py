"""What two archives differ in beside names and contents: times, attributes, names as they were written, order.

These are what `identity.layout_id` covers, member by member. Pure, on columns of member tables: an archive may have
half a million members.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sxeslake.archive.columns import ABSENT, Flags, MemberColumns, Numbers
from sxeslake.archive.times import iso_of_dos, iso_of_ns, local_ns_of_dos

What = Literal["time", "attributes", "name"]

_SECOND_NS: Final = 1_000_000_000
_DOS_STEP_NS: Final = 2 * _SECOND_NS  # zip clocks tell even seconds


@dataclass(frozen=True, slots=True)
class LayoutChange:
    """A member that both archives have, with something else beside its content; None where one does not tell it."""

    path: str
    what: What
    a: str | None
    b: str | None


@dataclass(slots=True)
class LayoutDifference:
    """All that differs between members of the same path."""

    changes: list[LayoutChange] = field(default_factory=list)
    order_same: bool = True

    def words(self) -> list[str]:
        """`["times", "order"]`"""
        found = {change.what for change in self.changes}
        kinds: tuple[tuple[What, str], ...] = (("time", "times"), ("attributes", "attributes"), ("name", "names"))
        return [word for what, word in kinds if what in found] + ([] if self.order_same else ["order"])


def columns_of(members: MemberColumns) -> pa.Table:
    """The columns that are compared, of an archive that was just read."""
    raw_names = [members.raw_names.get(number) for number in range(len(members))] if members.raw_names else None
    return pa.table(
        {
            "path": pa.array(members.all_paths(), pa.string()),
            "ordinal": np.arange(len(members), dtype=np.int64),
            "modified_ns": members.modified_ns,
            "attributes": members.attributes,
            "dos_time": members.dos_time,
            "raw_name": pa.nulls(len(members), pa.binary()) if raw_names is None else pa.array(raw_names, pa.binary()),
        }
    )


def compare(a: pa.Table, b: pa.Table) -> LayoutDifference:
    """What differs; rows of tables as of `columns_of` in any order. Members that only one has are passed over."""
    paths, ours, theirs = _paired(a, b)
    found = LayoutDifference()
    ordinals = _numbers(b, "ordinal")[theirs][np.argsort(_numbers(a, "ordinal")[ours], kind="stable")]
    found.order_same = bool((np.diff(ordinals) > 0).all())
    times = [_Times(table, rows) for table, rows in ((a, ours), (b, theirs))]
    for at in np.flatnonzero(_times_differ(*times)).tolist():
        found.changes.append(LayoutChange(paths[at], "time", times[0].text(at), times[1].text(at)))
    modes = [_numbers(table, "attributes")[rows] for table, rows in ((a, ours), (b, theirs))]
    for at in np.flatnonzero(modes[0] != modes[1]).tolist():
        found.changes.append(LayoutChange(paths[at], "attributes", *(_hexadecimal(int(mode[at])) for mode in modes)))
    if a["raw_name"].null_count < len(a) or b["raw_name"].null_count < len(b):
        names = [table["raw_name"].take(pa.array(rows)).to_pylist() for table, rows in ((a, ours), (b, theirs))]
        found.changes += [
            LayoutChange(path, "name", _escaped(one), _escaped(other))
            for path, one, other in zip(paths, *names, strict=True)
            if (one or b"") != (other or b"")  # as in `identity.layout_id`
        ]
    return found


def _paired(a: pa.Table, b: pa.Table) -> tuple[list[str], Numbers, Numbers]:
    """The rows of the same path, in the order of `a`'s archive; of equal paths the first goes with the first."""
    places: dict[str, list[int]] = {}
    for at, path in reversed(_in_archive_order(b)):
        places.setdefault(path, []).append(at)
    paths, ours, theirs = list[str](), list[int](), list[int]()
    for at, path in _in_archive_order(a):
        left = places.get(path)
        if left:
            paths.append(path)
            ours.append(at)
            theirs.append(left.pop())
    return paths, np.array(ours, np.int64), np.array(theirs, np.int64)


def _in_archive_order(table: pa.Table) -> list[tuple[int, str]]:
    paths = table["path"].to_pylist()
    return [(at, paths[at]) for at in np.argsort(_numbers(table, "ordinal"), kind="stable").tolist()]


def _numbers(table: pa.Table, name: str) -> Numbers:
    column = table[name].combine_chunks().cast(pa.int64()).fill_null(ABSENT)
    return np.asarray(column.to_numpy(zero_copy_only=False), np.int64)


class _Times:
    """The times of some rows: an instant, a zip's local clock, or both."""

    def __init__(self, table: pa.Table, rows: npt.NDArray[np.int64]) -> None:
        self.instants, self.clocks = _numbers(table, "modified_ns")[rows], _numbers(table, "dos_time")[rows]

    def text(self, at: int) -> str | None:
        """`2020-02-29T12:00:00Z`; a local clock has no zone."""
        instant, clock = int(self.instants[at]), int(self.clocks[at])
        if instant != ABSENT:
            return iso_of_ns(instant)
        return None if clock == ABSENT else iso_of_dos(clock)


def _times_differ(a: _Times, b: _Times) -> Flags:
    instants = (a.instants != ABSENT) & (b.instants != ABSENT)
    clocks = (a.clocks != ABSENT) & (b.clocks != ABSENT)
    differ: Flags = (instants & (a.instants != b.instants)) | (clocks & (a.clocks != b.clocks))
    nothing = (a.instants == ABSENT) & (b.instants == ABSENT) & (a.clocks == ABSENT) & (b.clocks == ABSENT)
    for at in np.flatnonzero(~instants & ~clocks & ~nothing).tolist():
        differ[at] = not _same_moment(a, b, at)
    return differ


def _same_moment(a: _Times, b: _Times, at: int) -> bool:
    """Whether an instant is what a local clock says here, within the clock's two seconds."""
    moments = [
        int(side.instants[at])
        if side.instants[at] != ABSENT
        else ABSENT if side.clocks[at] == ABSENT else local_ns_of_dos(int(side.clocks[at]))
        for side in (a, b)
    ]  # fmt: skip
    return ABSENT not in moments and abs(moments[0] - moments[1]) < _DOS_STEP_NS


def _hexadecimal(attributes: int) -> str | None:
    return None if attributes == ABSENT else f"0x{attributes:08x}"


def _escaped(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "backslashreplace")
