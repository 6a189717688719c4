"""A function of every position that fits, by any executor: an archive at a time, in the order in which it is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from functools import partial
from itertools import groupby, islice
from typing import Final, NamedTuple, TypeVar

from sxeslake.archive.spectra.measured import Measured
from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.group import Group, open_group
from sxeslake.archive.sxes.outline import Items
from sxeslake.archive.sxes.position import Position
from sxeslake.clusters import cluster, futures
from sxeslake.clusters.work import OpenVault
from sxeslake.maintenance.calibrations import known
from sxeslake.reading.source import VersionSource
from sxeslake.vault import refs
from sxeslake.vault.vault import Vault

Value = TypeVar("Value")

BATCH: Final = 256
"""Positions of a task: some tens of MB of xes."""
_ARRANGED_BY: Final = "xes"  # the largest of what a position has: its place decides how many requests are made


class PositionTask(NamedTuple):
    """Some positions of one archive, as listed."""

    archive: str
    uuids: tuple[str, ...]


def tasks_of(rows: Iterable[Measured], batch: int) -> Iterator[PositionTask]:
    """Positions in runs of one archive; one that several analyses list comes once."""
    for archive, some in groupby(rows, key=lambda row: row.archive):
        uuids = iter(dict.fromkeys(row.position_uuid for row in some))
        while part := tuple(islice(uuids, batch)):
            yield PositionTask(archive, part)


def map_positions(
    fn: Callable[[Position], Value], rows: Iterable[Measured], vault: Vault, open_vault: OpenVault | None,
    executor: Executor | None,
) -> dict[tuple[str, str], Value]:  # fmt: skip
    """What `fn` gives for each position, by archive and UUID, in the order of the rows."""
    tasks = list(tasks_of(rows, BATCH))
    if executor is None or open_vault is None:
        found: Iterator[list[Value]] = (_values(vault, fn, task) for task in tasks)
    else:
        futures.check_reach(executor, vault.store.url)
        futures.check_sendable(fn, executor, "the function")
        if cluster.is_cluster(executor):
            cluster.check_versions(executor)
        found = futures.answers(executor, partial(_opened_values, open_vault, fn), tasks)
    return {
        (task.archive, uuid): value
        for task, values in zip(tasks, found, strict=True)
        for uuid, value in zip(task.uuids, values, strict=True)
    }


def _opened_values(open_vault: OpenVault, fn: Callable[[Position], Value], task: PositionTask) -> list[Value]:
    """In the worker."""
    vault = open_vault()
    try:
        return _values(vault, fn, task)
    finally:
        vault.close()


def _values(vault: Vault, fn: Callable[[Position], Value], task: PositionTask) -> list[Value]:
    """The values of one task, in its order; read in the order of storage."""
    source = VersionSource(vault, refs.find(vault.state, task.archive))
    group = open_group(source)
    group.calibrations = partial(known, vault.state)
    by_path = {layout.type_path(uuid, _ARRANGED_BY): uuid for uuid in task.uuids}
    values: dict[str, Value] = {}
    for position in _positions(group, [by_path[path] for path in source.arranged(list(by_path))]):
        try:
            values[position.uuid] = fn(position)
        except Exception as error:
            error.add_note(f"This was position {position.uuid} of {task.archive}.")
            raise
    return [values[uuid] for uuid in task.uuids]


def _positions(group: Group, uuids: list[str]) -> Items[Position]:
    return Items(group, Position, uuids)
