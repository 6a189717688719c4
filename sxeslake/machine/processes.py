"""How a process of our own, a command or a worker, sets up the interpreter and its libraries."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from importlib.abc import MetaPathFinder

from sxeslake.model import MIB

_OBJECTS_BEFORE_GC = 100_000
# mallopt's own numbers; all three also fix what glibc would else raise as it goes
_SETTINGS = {
    -8: 2,  # M_ARENA_MAX: heaps, of which each thread would have its own
    -1: 32 * MIB,  # M_TRIM_THRESHOLD: free memory at the end of a heap that is kept
    -3: 8 * MIB,  # M_MMAP_THRESHOLD: larger than any chunk, which would come dear from the system each time
}


_own = threading.Event()


def is_own() -> bool:
    """Whether this process is a command or a worker of sxeslake, not a program that imports it."""
    return _own.is_set()


def start_lightly() -> None:
    """Spare what libraries and the interpreter prepare for a program that computes for hours; before they are loaded.

    numpy's import starts a thread of OpenBLAS for each core, which waits by spinning: 0.09 processor seconds. Rows and
    members hold no cycles: looking for some every 700 new objects takes 2 % of a pull.
    """
    _own.set()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(_OBJECTS_BEFORE_GC, 50, 100)
    keep_pandas_out()


def keep_little() -> None:
    """Bound what is kept of freed memory, where glibc is the allocator: a sixth less for 100,000 positions."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # noqa: PLC0415 - for these commands alone

    with suppress(OSError, AttributeError):  # another C library, which needs no such words
        mallopt = ctypes.CDLL(None).mallopt
        for setting, value in _SETTINGS.items():
            mallopt(setting, value)


def cores_of(worker: int, each: int) -> frozenset[int]:
    """The cores of a worker when every worker has `each` cores; none where there are too few cores.

    Which core is the first depends on the process, so that two commands at a time do not share the same few.
    """
    if not hasattr(os, "sched_getaffinity"):
        return frozenset()
    allowed = sorted(os.sched_getaffinity(0))
    turn = os.getpid() % len(allowed)
    mine = (allowed[turn:] + allowed[:turn])[worker * each : (worker + 1) * each]
    return frozenset(mine if len(mine) == each else ())


@contextmanager
def held_to(cores: Collection[int]) -> Iterator[None]:
    """Run this thread, and those that it starts, on these cores alone; anywhere, where none are given.

    Threads of one interpreter wait for one another on several cores more than they gain: 200 small archives take a
    seventh less of processor time on one.
    """
    if not cores or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    with suppress(OSError):  # a container whose cores were taken away meanwhile
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, before)


class _WithoutPandas(MetaPathFinder):
    """pyarrow loads pandas, where it is installed, for the first array of all: 0.3 s for frames that few commands make.

    None in `sys.modules` would not do: libraries take that for the module.
    """

    def find_spec(self, name: str, path: object, target: object = None) -> None:  # noqa: ARG002 - importlib's words
        if name == "pandas":
            raise ModuleNotFoundError("this command needs no pandas", name=name)


def keep_pandas_out() -> None:
    """Let nobody import pandas."""
    sys.meta_path.insert(0, _WithoutPandas())


def let_pandas_in() -> None:
    """Let it be imported again, by xarray and HyperSpy, which need it."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _WithoutPandas)]
