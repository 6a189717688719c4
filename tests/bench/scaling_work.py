"""One verb on one lake in a process of its own: `python scaling_work.py URL VERB [WORD…]` says as JSON what it cost."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.internals import catalog_of, vault_of

from sxeslake.lake import Lake, open_lake

_KIB = 1024


def opened(lake: Lake) -> object:
    """What `show` asks for."""
    return lake.show("session-0000000").version


def listed(lake: Lake) -> object:
    """`ls`."""
    return len(lake.ls())


def catalogued(lake: Lake) -> object:
    """Bring the catalogue to the newest commit: what the first question waits for."""
    return len(catalog_of(lake).database().snapshot.parts)


def asked(lake: Lake) -> object:
    """A question for the positions of one beam condition; the catalogue is there."""
    return len(lake.query("positions-by-condition", kv=5, current_na="90..110", grating="JS300N"))


def committed(lake: Lake, path: str) -> object:
    """Ingest one small archive."""
    return lake.ingest(path).commit


def forgotten(lake: Lake, pattern: str) -> object:
    """Forget samples by a glob."""
    return lake.forget(pattern).commit


def planned(lake: Lake) -> object:
    """`gc --dry-run`: everything is read, nothing is written."""
    return lake.gc(dry_run=True, grace="0s").packs_condemned


def collected(lake: Lake) -> object:
    """`gc --grace 0`."""
    return lake.gc(grace="0s").packs_condemned


def published(lake: Lake) -> object:
    """`checkpoint`."""
    return lake.checkpoint().new_parts


VERBS: dict[str, Callable[..., object]] = {
    "open": opened,
    "ls": listed,
    "sync": catalogued,
    "query": asked,
    "commit": committed,
    "forget": forgotten,
    "gc-plan": planned,
    "gc": collected,
    "checkpoint": published,
}


def peak_bytes() -> int:
    """The most that this process had in memory at once (`VmHWM`)."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * _KIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB


def main(url: str, verb: str, *words: str) -> None:
    """Do it, and say what it cost."""
    began, cpu = time.perf_counter(), time.process_time()
    with open_lake(url) as lake:
        result = VERBS[verb](lake, *words)
        counters = vault_of(lake).store.counters
    cost = {
        "seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu, "peak_bytes": peak_bytes(),
        "requests": dict(counters.requests), "bytes_in": counters.bytes_in, "bytes_out": counters.bytes_out,
        "result": result,
    }  # fmt: skip
    print(json.dumps(cost))


if __name__ == "__main__":
    main(*sys.argv[1:])
