"""Programs that the benchmark runs and measures from outside: `python children.py VERB …`."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from support.internals import vault_of

from sxeslake.archive.container import open_container
from sxeslake.format.logentry import ArchiveAdded, Entry
from sxeslake.lake import open_lake
from sxeslake.storage import open_store
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head

_ROUNDS = 7
_PACK_BYTES, _PACKS = 32 << 20, 4
_PER_COMMIT = 250
_FULL_BYTES = 100_000
_NAMES = ("info.json", "qlw.data", "state.json", "sum.data", "xes.data")


def full_position(source: str) -> None:
    """The UUID of a position in the middle whose arrays have their real size."""
    with open_container(Path(source)) as archive:
        full = [m.path.split("/")[1] for m in archive.members if m.path.endswith("xes.data") and m.size > _FULL_BYTES]
    print(full[len(full) // 2])


def position(url: str, ref: str, uuid: str) -> None:
    """The members of one position, proved, in one batch; only what that needs is read."""
    with open_lake(url) as lake:
        read = dict(lake._source(ref).read_many([f"data/{uuid}/{name}" for name in _NAMES]))
    print(json.dumps({path: len(data) for path, data in read.items()}))


def in_group(url: str, ref: str, uuid: str) -> None:
    """The same position as part of its group, whose list of positions stays unread."""
    with open_lake(url) as lake, lake[ref] as group:
        found = group.positions[uuid]
        print(found.comment, found.state.accelerating_voltage_kv, found.xes.sum(), found.qlw.sum())


def tiny_archive(path: str, number: str) -> None:
    """A group of two positions with short spectra that no other number shares."""
    rng = np.random.default_rng(int(number))
    analysis = UUID(int=int(number) + 1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", f'{{"analyses":[{{"uuid":"{analysis}"}}]}}')
        for place in range(2):
            folder = f"data/{UUID(int=(int(number) << 32) + place + 1)}"
            archive.writestr(f"{folder}/info.json", f'{{"uuid":"{number}-{place}"}}')
            archive.writestr(f"{folder}/xes.data", rng.poisson(900, 400).astype("<u4").tobytes())


def grow(url: str, archives: str, real: str) -> None:
    """Fill a lake up to so many archives: `real` ones of a commit each, the others as entries that repeat one."""
    with open_lake(url) as lake:
        path = Path(f"{url}-next.plzip")
        for number in range(len(lake.ls("grown-*")) + 1, int(real) + 1):
            tiny_archive(str(path), str(number))
            lake.ingest(path, sample=f"grown-{number:06d}")
        vault = vault_of(lake)
        model = vault.state.versions("v.sample = ?", ("grown-000001",))[0].archive
        for first in range(len(vault.state.versions("v.sample LIKE 'grown-%'")) + 1, int(archives) + 1, _PER_COMMIT):
            numbers = range(first, min(first + _PER_COMMIT, int(archives) + 1))
            vault.commit(_repeating(model, numbers))


def _repeating(model: ArchiveAdded, numbers: range) -> Callable[[Head], Entry]:
    blank = blank_entry("benchmark")

    def build(head: Head) -> Entry:
        archives = tuple(
            replace(model, sample=f"grown-{number:06d}", content_id=f"{number:064x}", analyses=(str(UUID(int=number)),))
            for number in numbers
        )
        return replace(blank, number=head.number + 1, previous=head.digest, archives=archives)

    return build


def catalogue(folder: str, archives: str, positions: str) -> None:
    """Questions to a catalogue of millions of positions, made column by column."""
    from support.catalog_facility import write_facility  # noqa: PLC0415 - DuckDB counts only where it is asked

    from sxeslake.catalog.query import library  # noqa: PLC0415
    from sxeslake.catalog.query.run import ask  # noqa: PLC0415
    from sxeslake.catalog.store.cache import Cache  # noqa: PLC0415
    from sxeslake.catalog.store.database import Database  # noqa: PLC0415
    from sxeslake.catalog.store.sync import checkpoint  # noqa: PLC0415
    from sxeslake.storage.memory import MemoryStore  # noqa: PLC0415

    cache, store = Cache(Path(folder)), MemoryStore("benchmark")
    cache.folder.mkdir(parents=True, exist_ok=True)
    snapshot = checkpoint(store, cache, write_facility(cache, int(archives), int(positions))).snapshot
    words: dict[str, object] = {"kv": 5, "current_na": "90..110", "grating": "JS300N", "since": "2014-02-01"}
    count = (
        "SELECT count(*) AS n FROM positions WHERE accelerating_voltage_kv BETWEEN 4.95 AND 5.05 "
        "AND probe_current_na BETWEEN 90 AND 110 AND grating = 'JS300N'"
    )

    def maps(database: Database) -> None:
        ask(database.reader, library.load().bind("maps-by-beam-condition", words)).arrow()

    def median_s(work: Callable[[], object]) -> float:
        work()
        times = []
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    database = Database(snapshot, cache, store.get)
    found = {
        "maps by beam condition": {"seconds": median_s(lambda: maps(database))},
        "positions by beam condition": {"seconds": median_s(lambda: database.table(count))},
    }
    database.close()
    before, began = store.counters.bytes_in, time.perf_counter()
    cold = Cache.temporary()
    database = Database(snapshot, cold, store.get)
    maps(database)
    found["cold client"] = {
        "seconds": time.perf_counter() - began,
        "bytes": store.counters.bytes_in - before,
    }
    database.close()
    cold.close()
    print(json.dumps(found))


def link(url: str) -> None:
    """As many bytes as packs have, up and down, and nothing but that."""
    store, pack = open_store(url), os.urandom(_PACK_BYTES)
    keys = [f"packs/{number}" for number in range(_PACKS)]
    began = time.perf_counter()
    with ThreadPoolExecutor(2) as uploads:
        list(uploads.map(lambda key: store.create(key, pack), keys))
    up_s, began = time.perf_counter() - began, time.perf_counter()
    step = _PACK_BYTES // 4
    for key in keys:
        store.get_ranges([(key, start, start + step) for start in range(0, _PACK_BYTES, step)])
    down_s = time.perf_counter() - began
    store.close()
    print(json.dumps({"bytes": _PACKS * _PACK_BYTES, "up_s": up_s, "down_s": down_s}))


_VERBS: dict[str, Callable[..., None]] = {
    "full-position": full_position,
    "position": position,
    "in-group": in_group,
    "tiny-archive": tiny_archive,
    "grow": grow,
    "catalogue": catalogue,
    "link": link,
}


if __name__ == "__main__":
    _VERBS[sys.argv[1]](*sys.argv[2:])
