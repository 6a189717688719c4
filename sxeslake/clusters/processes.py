"""Worker processes of this machine, started and watched here.

A pool of the standard library is broken as a whole when one of its processes is killed; here the others go on, and what
the lost one had not finished goes to another. Each process has a pipe: shares one way, words the other. When the pipe
ends, so does the process: killing the parent leaves no orphans.
"""

from __future__ import annotations

import logging
import logging.handlers
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Final

from sxeslake.closing import Finishing
from sxeslake.clusters.run import Coordinator
from sxeslake.clusters.work import IngestJob, Relay, WorkReport, WorkShare, ingest_share, opened
from sxeslake.errors import SxeslakeError
from sxeslake.machine.processes import cores_of, held_to, is_own

_LOG = logging.getLogger(__name__)

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

    _Context = ForkServerContext | SpawnContext  # Windows has one of them

_LOOK_S: Final = 0.1  # how often the parent asks whether the run is to end
_TELL_S: Final = 0.1  # how often a worker says how many bytes it has read
_GRACE_S: Final = 1.0  # that a worker without a parent has to commit what it has
_END_S: Final = 0.3  # that a worker has to end before it is killed
_CLOSE_S: Final = 5.0  # the same, where all is done
_PACKAGE: Final = "sxeslake"
_LOADED: Final = "sxeslake.clusters.loaded"


class WorkerPool(Finishing):
    """Some worker processes on one lake."""

    def __init__(self, job: IngestJob, count: int) -> None:
        self._job, self._context = job, _context()
        self._failed_starts = 0
        self._workers: list[_Worker] = []
        with _uninterrupted():
            self._workers += [self._started(number) for number in range(count)]

    def _started(self, number: int) -> _Worker:
        return _Worker(self._context, self._job, cores_of(number, self._job.options.jobs or 1))

    def run(self, shares: Sequence[WorkShare], coordinator: Coordinator) -> None:
        """Have all shares done; what a lost worker leaves goes to the next one that is free."""
        waiting, is_ending = deque(shares), False
        while waiting or any(worker.share is not None for worker in self._workers):
            if not is_ending and coordinator.asked_to_end():
                is_ending = True
                waiting.clear()
                for worker in self._workers:
                    worker.send(None)
            for worker in self._workers:
                if worker.was_ready and worker.share is None and waiting:
                    worker.give(waiting.popleft())
            for worker in _ready(self._workers):
                self._hear(worker, coordinator)
                if not worker.is_alive:
                    self._replace(worker, coordinator, waiting, is_ending=is_ending)
        if is_ending:
            raise KeyboardInterrupt

    def close(self) -> None:
        """End all processes."""
        self._end(_CLOSE_S)

    def abort(self) -> None:
        """End all processes soon."""
        self._end(_END_S)

    def _end(self, within_s: float) -> None:
        for worker in self._workers:
            worker.hang_up()
        give_up = time.monotonic() + within_s
        for worker in self._workers:
            worker.end(max(0.0, give_up - time.monotonic()))

    def _hear(self, worker: _Worker, coordinator: Coordinator) -> None:
        for kind, words in worker.words():
            share = worker.share
            if kind == "ready":
                self._failed_starts = 0
            elif kind == "log":
                logging.getLogger(words[0].name).handle(words[0])
            elif kind == "error":
                raise words[0]
            elif share is None:
                continue
            elif kind == "finished":
                coordinator.finished(share, words[0])
                worker.share = None
            else:
                getattr(coordinator, kind)(*words)

    def _replace(
        self, worker: _Worker, coordinator: Coordinator, waiting: deque[WorkShare], *, is_ending: bool
    ) -> None:
        _LOG.info("worker process %s was lost: %s", worker.pid, worker.why_ended())
        if not worker.was_ready:
            self._failed_starts += 1
            if self._failed_starts >= coordinator.MOST_LOSSES:
                raise SxeslakeError(f"worker processes cannot be started: the last {worker.why_ended()}.")
        if worker.share is not None:
            left = coordinator.lost(worker.share, worker.why_ended())
            if left is not None and not is_ending:
                waiting.appendleft(left)
        worker.end(0.0)
        with _uninterrupted():
            number = self._workers.index(worker)
            self._workers[number] = self._started(number)


class _Worker:
    """One process, seen from the parent."""

    def __init__(self, context: _Context, job: IngestJob, cores: frozenset[int]) -> None:
        self.share: WorkShare | None = None
        self.is_alive, self.was_ready = True, False
        self.pipe, far_end = context.Pipe()
        level = logging.getLogger(_PACKAGE).getEffectiveLevel()
        self._process: BaseProcess = context.Process(
            target=_main, args=(far_end, job, level, dict(os.environ), cores), name="sxeslake-worker", daemon=True
        )
        self._process.start()
        far_end.close()
        self.pid = self._process.pid

    def give(self, share: WorkShare) -> None:
        """Have it do a share."""
        self.share = share
        self.send(share)

    def send(self, share: WorkShare | None) -> None:
        """A share, or None to end; to a process that is gone, nothing is said."""
        with suppress(OSError):
            self.pipe.send(share)

    def words(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """All that it has said since."""
        try:
            while self.pipe.poll():
                kind, words = self.pipe.recv()
                self.was_ready |= kind == "ready"
                yield kind, words
        except (EOFError, OSError):
            self.is_alive = False

    def why_ended(self) -> str:
        """`was ended by SIGKILL`."""
        self._process.join(_END_S)
        code = self._process.exitcode
        if code is not None and code < 0:
            with suppress(ValueError):
                return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}" if code is not None else "fell silent"

    def hang_up(self) -> None:
        """Let it know that nothing more comes."""
        self.pipe.close()

    def end(self, within_s: float) -> None:
        """Wait for its end, then kill it."""
        self._process.join(within_s)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self.pipe.close()


def _context() -> _Context:
    """How processes are started: where that can be, and concerns only us, from one that has loaded everything.

    A program has one process to fork from, which its own pools use, too: what we set there would surprise them.
    """
    if not is_own() or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_LOADED])
    return context


def _ready(workers: Sequence[_Worker]) -> list[_Worker]:
    ready = wait([worker.pipe for worker in workers], _LOOK_S)
    return [worker for worker in workers if worker.pipe in ready]


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: the parent hears it, and ends them in good order."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- in the process -----------------------------------------------------------------------------------------------


def _main(
    pipe: Connection, job: IngestJob, log_level: int, environment: Mapping[str, str], cores: frozenset[int]
) -> None:
    """Do shares until the pipe ends."""
    import_module(_LOADED)
    os.environ.clear()  # of the process forked from: it can be older than what the parent was told since
    os.environ.update(environment)
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGHUP})
    told = _Pipe(pipe)
    log = logging.getLogger(_PACKAGE)
    log.setLevel(log_level)
    log.addHandler(_ToParent(told))
    log.propagate = False
    threading.Thread(target=told.listen, daemon=True).start()
    try:
        with held_to(cores), opened(job) as vault:
            told.say("ready")
            while (share := told.shares.get()) is not None:
                report = ingest_share(vault, job, share, told)
                told.say("finished", WorkReport([], report.commits, report.damaged, report.complete))
    except Exception as error:  # whatever it is, the parent says it
        _LOG.info("this worker ends", exc_info=error)
        told.say("error", error if isinstance(error, SxeslakeError) else _in_words(error))
        told.shares.get()  # until the parent has heard


def _in_words(error: Exception) -> SxeslakeError:
    return SxeslakeError(f"a worker failed unexpectedly: {type(error).__name__}: {error}")


class _Pipe(Relay):
    """The parent, seen from a worker: a `WorkListener`."""

    def __init__(self, pipe: Connection) -> None:
        self.shares: queue.SimpleQueue[WorkShare | None] = queue.SimpleQueue()
        self._pipe, self._lock, self._ending = pipe, threading.Lock(), threading.Event()
        super().__init__(_TELL_S)

    def listen(self) -> None:
        """Take shares, until there are none; then this process ends, whatever it is at."""
        with suppress(EOFError, OSError):
            while (share := self._pipe.recv()) is not None:
                self.shares.put(share)
        self._ending.set()
        self.shares.put(None)
        with suppress(EOFError, OSError):
            self._pipe.recv()  # asked to end, it is waited for; without a parent, it is not
        time.sleep(_GRACE_S)
        os._exit(1)

    def say(self, kind: str, *words: object) -> None:
        """One message, whole."""
        with self._lock, suppress(OSError):  # the parent is gone, and this process is about to end
            self._pipe.send((kind, words))

    def asked_to_end(self) -> bool:
        """Whether the parent has asked to end, or is gone."""
        return self._ending.is_set()


class _ToParent(logging.handlers.QueueHandler):
    """Sends log records to the parent, whose handlers print them without secrets."""

    def __init__(self, told: _Pipe) -> None:
        super().__init__(queue.SimpleQueue())
        self._told = told

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send a record."""
        self._told.say("log", record)


def unable_here() -> str | None:
    """Why no processes can be started from here; None where they can."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    if file is not None and file.startswith("<"):
        return "a script that is read from stdin cannot start worker processes; save it as a file."
    return None
