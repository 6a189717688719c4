"""The data of packs, read and hashed by any executor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final

from sxeslake.batching import batches
from sxeslake.clusters import cluster, futures
from sxeslake.clusters.work import OpenVault
from sxeslake.format.logentry import PackAdded
from sxeslake.maintenance.verify.packs import Elsewhere, Extent, PackRead, read_packs
from sxeslake.model import MIB

_TASK_BYTES: Final = 128 * MIB


def elsewhere(executor: Executor, open_vault: OpenVault, url: str) -> Elsewhere:
    """What reads packs by the workers of an executor."""
    futures.check_reach(executor, url)
    if cluster.is_cluster(executor):
        cluster.check_versions(executor)

    def read(packs: Sequence[PackAdded], extent: Extent) -> Iterator[PackRead]:
        tasks = list(batches(packs, lambda record: record.bytes, _TASK_BYTES))
        for done in futures.answers(executor, partial(_read, open_vault, extent), tasks):
            yield from done

    return read


def _read(open_vault: OpenVault, extent: Extent, packs: Sequence[PackAdded]) -> list[PackRead]:
    """In the worker."""
    vault = open_vault()
    try:
        return read_packs(vault, extent, packs)
    finally:
        vault.close()
