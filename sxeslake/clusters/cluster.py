"""What is special about a Dask cluster: its address, its versions, what its workers say on the way."""

from __future__ import annotations

import base64
import pickle
import platform
import queue
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from typing import Any, Final

from sxeslake.clusters.work import Relay, WorkListener
from sxeslake.errors import UnreachableError, UsageError
from sxeslake.extras import load
from sxeslake.version import __version__

_EXTRA: Final = "dask"
_CONNECT_S: Final = 20
_ASK_S: Final = 2.0  # how often a worker asks the scheduler whether the run is to end
_TELL_S: Final = 0.5
_SETTLE_S: Final = 0.3  # the last events come after the last result


def is_cluster(executor: Executor) -> bool:
    """Whether an executor is that of a Dask client."""
    return type(executor).__module__.startswith("distributed.")


def width(executor: Executor) -> int:
    """The tasks that a cluster does at the same time."""
    return max(1, int(sum(_client(executor).nthreads().values())))


@contextmanager
def connected(address: str) -> Iterator[Executor]:
    """The executor of the cluster whose scheduler has this address."""
    distributed = load("distributed", _EXTRA, "a Dask cluster")
    try:
        client = distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise UnreachableError(
            f"the scheduler does not answer: {error}.", where=address,
            hint="Start one: `dask scheduler`, and on each machine `dask worker tcp://HOST:8786`.",
        ) from error  # fmt: skip
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"this is not the address of a scheduler: {error}.", where=address, hint="As tcp://host:8786."
        ) from error
    try:
        yield client.get_executor(pure=False)
    finally:
        client.close()


def check_versions(executor: Executor) -> None:
    """UsageError where workers run another sxeslake or another Python, or where there is no worker."""
    found = _client(executor).run(versions, on_error="return")
    if not found:
        raise UsageError(
            "the cluster has no workers.", hint="Start some on each machine: `dask worker tcp://HOST:8786`."
        )
    own = versions()
    others: dict[str, list[str]] = {}
    for worker, said in sorted(found.items()):
        if said != own:
            others.setdefault(in_words(said), []).append(worker)
    if others:
        lines = "; ".join(f"{what} ({_named(workers)})" for what, workers in others.items())
        raise UsageError(
            f"the cluster differs from this machine, which runs {in_words(own)}: {lines}.",
            hint="Install the same versions everywhere, and start the workers again.",
        )


def versions() -> tuple[str, str]:
    """Of sxeslake and of Python, here."""
    return __version__, ".".join(platform.python_version_tuple()[:2])


def in_words(said: object) -> str:
    """`sxeslake 0.9.0 on Python 3.12`, or why a worker could not say."""
    if isinstance(said, tuple):
        return f"sxeslake {said[0]} on Python {said[1]}"
    if isinstance(said, ModuleNotFoundError) or "No module named 'sxeslake" in str(said):
        return "a sxeslake without this command, or none"
    return f"{type(said).__name__}: {said}"


def _named(workers: Sequence[str]) -> str:
    more = f" and {len(workers) - 3} more" if len(workers) > 3 else ""
    return ", ".join(workers[:3]) + more


def _client(executor: Executor) -> Any:
    return executor._client  # type: ignore[attr-defined]


def is_lost(error: BaseException) -> bool:
    """Whether an error of a cluster means that a worker, or the scheduler, is gone."""
    scheduler, client = sys.modules.get("distributed.scheduler"), sys.modules.get("distributed.client")
    names = ((scheduler, "KilledWorker"), (client, "FutureCancelledError"), (client, "FuturesCancelledError"))
    kinds = tuple(getattr(module, name) for module, name in names if hasattr(module, name))
    return isinstance(error, kinds)


class Hearing:
    """In the client: hears what workers say of one run, and asks them to end."""

    def __init__(self, executor: Executor, listener: WorkListener) -> None:
        self.topic = f"sxeslake-{secrets.token_hex(8)}"
        self._client, self._listener = _client(executor), listener
        self._event = load("distributed", _EXTRA, "a Dask cluster").Event(f"{self.topic}-end", client=self._client)
        self._words: queue.SimpleQueue[tuple[str, tuple[Any, ...]]] = queue.SimpleQueue()
        self._client.subscribe_topic(
            self.topic, lambda event: self._words.put(pickle.loads(base64.b64decode(event[1])))
        )

    def _hear(self, event: tuple[float, str]) -> None:
        """In a thread of the client."""
        self._words.put(pickle.loads(base64.b64decode(event[1])))

    def pass_on(self) -> None:
        """Tell what was heard, in the thread of the caller."""
        with suppress(queue.Empty):
            while True:
                kind, words = self._words.get_nowait()
                getattr(self._listener, kind)(*words)

    def end(self) -> None:
        """Ask the workers to end."""
        self._event.set()

    def close(self) -> None:
        """Hear the last words, and no more."""
        time.sleep(_SETTLE_S)
        self.pass_on()
        self._client.unsubscribe_topic(self.topic)


class Events(Relay):
    """In a worker: a `WorkListener` by events of the cluster."""

    def __init__(self, topic: str) -> None:
        distributed = load("distributed", _EXTRA, "a Dask cluster")
        self._worker, self._topic = distributed.get_worker(), topic
        self._event = distributed.Event(f"{topic}-end", client=distributed.get_client())
        self._asked_at, self._ending = time.monotonic(), False
        super().__init__(_TELL_S)

    def asked_to_end(self) -> bool:
        """Whether the client has asked to end; the scheduler is not asked at each step."""
        if not self._ending and time.monotonic() - self._asked_at >= _ASK_S:
            self._ending = bool(self._event.is_set())
            self._asked_at = time.monotonic()
        return self._ending

    def say(self, kind: str, *words: object) -> None:
        """One message."""
        # Events are plain values only; a cluster sends everything else as pickles, too.
        self._worker.log_event(self._topic, base64.b64encode(pickle.dumps((kind, words))).decode())
