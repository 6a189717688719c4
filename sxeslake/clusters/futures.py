"""Shares by any executor of `concurrent.futures`, and by a Dask cluster.

An executor tells only when a share is done. From a Dask cluster, events bring what workers say meanwhile, and an event
that is set asks them to end. Dask itself gives the work of a lost worker to another.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from typing import Final, TypeVar, cast

from sxeslake.clusters import cluster
from sxeslake.clusters.run import Coordinator
from sxeslake.clusters.work import IngestJob, Silent, WorkReport, WorkShare, ingest_share, opened
from sxeslake.errors import SxeslakeError, UsageError
from sxeslake.machine.concurrency import usable_cpus

_LOG = logging.getLogger(__name__)

_LOOK_S: Final = 0.1
_LOST: Final = (BrokenExecutor, CancelledError)
"""Of an executor whose worker is gone; a Dask cluster has errors of its own, too."""

Task = TypeVar("Task")
Answer = TypeVar("Answer")


def width(executor: Executor) -> int:
    """How many tasks an executor does at the same time, as far as it tells."""
    if cluster.is_cluster(executor):
        return cluster.width(executor)
    count = getattr(executor, "_max_workers", None)
    return count if isinstance(count, int) and count > 0 else usable_cpus()


def check_reach(executor: Executor, url: str) -> None:
    """UsageError where the workers of an executor cannot reach a lake."""
    if url.startswith("memory:") and not isinstance(executor, ThreadPoolExecutor):
        raise UsageError("a lake in memory is seen by this process alone.", where=url, hint="Use threads.")


def check_sendable(thing: object, executor: Executor | None, name: str) -> None:
    """UsageError where something cannot be sent to the workers of an executor."""
    if executor is None or isinstance(executor, ThreadPoolExecutor) or cluster.is_cluster(executor):
        return
    try:
        pickle.dumps(thing)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UsageError(
            f"{name} cannot be sent to another process: {error}.",
            hint="Define it at the top of a module, and pass values by functools.partial.",
        ) from error


def run_shares(executor: Executor, job: IngestJob, shares: Sequence[WorkShare], coordinator: Coordinator) -> None:
    """Have all shares done by an executor; rows of a lost worker are reported as failed."""
    hearing = cluster.Hearing(executor, coordinator) if cluster.is_cluster(executor) else None
    topic = None if hearing is None else hearing.topic
    waiting = {executor.submit(_ingest, job, share, topic): share for share in shares}
    is_ending = False
    try:
        while waiting:
            if not is_ending and coordinator.asked_to_end():
                is_ending = True
                if hearing is not None:
                    hearing.end()
                waiting = {future: share for future, share in waiting.items() if not future.cancel()}
            done, _ = wait(waiting, _LOOK_S, FIRST_COMPLETED)
            for future in done:
                _take(future, waiting.pop(future), coordinator, is_ending=is_ending)
            if hearing is not None:
                hearing.pass_on()
    except BaseException:
        for future in waiting:
            future.cancel()
        raise
    finally:
        if hearing is not None:
            hearing.close()
    if is_ending:
        raise KeyboardInterrupt


def _take(future: Future[WorkReport], share: WorkShare, coordinator: Coordinator, *, is_ending: bool) -> None:
    try:
        coordinator.finished(share, future.result())
    except Exception as error:
        if not _is_lost(error):
            raise
        if not is_ending:
            _LOG.info("a worker was lost: %s", error)
            coordinator.report.lost_workers += 1
            coordinator.given_up(share.rows, "was lost")


def _is_lost(error: BaseException) -> bool:
    return isinstance(error, _LOST) or cluster.is_lost(error)


def _ingest(job: IngestJob, share: WorkShare, topic: str | None) -> WorkReport:
    """In the worker."""
    listener = Silent() if topic is None else cluster.Events(topic)
    with opened(job) as vault:
        return ingest_share(vault, job, share, listener)


def answers(
    executor: Executor, function: Callable[[Task], Answer], tasks: Sequence[Task], at_once: int | None = None
) -> Iterator[Answer]:
    """What a function gives for each task, in their order; a bounded number of tasks is on its way.

    SxeslakeError where a worker is lost.
    """
    most = at_once or 2 * width(executor) + 1
    futures: list[Future[Answer]] = [executor.submit(function, task) for task in tasks[:most]]
    try:
        for number in range(len(tasks)):
            try:
                found = futures[number].result()
            except Exception as error:
                if not _is_lost(error):
                    raise
                raise SxeslakeError("a worker was lost.", hint="Run the same again.") from error
            futures[number] = cast("Future[Answer]", None)  # its answer is not kept twice
            if number + most < len(tasks):
                futures.append(executor.submit(function, tasks[number + most]))
            yield found
    finally:
        for future in futures:
            if future is not None:
                future.cancel()
