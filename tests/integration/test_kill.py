"""`kill -9` of real processes at random moments: the lake is whole afterwards, without anybody doing anything.

`SXESLAKE_KILLS=200` for the long run on local disk, `SXESLAKE_KILLS_ON_STORES=20` on the others.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.internals import vault_of
from support.seaweed import BUCKET, Seaweed
from support.small_lakes import counts, zip_of
from support.store_servers import StoreServer

from sxeslake.archive.synthetic import MapPlan, map_members, write_archive
from sxeslake.errors import SampleNotFoundError
from sxeslake.format import keys
from sxeslake.lake import Lake, init, open_lake
from sxeslake.storage import open_store

KILLS = int(os.environ.get("SXESLAKE_KILLS", "10"))
KILLS_ON_S3 = 2
KILLS_ON_STORES = int(os.environ.get("SXESLAKE_KILLS_ON_STORES", "0"))
ARCHIVES = 8
OPERATIONS = ("ingest", "ingest", "ingest", "gc", "forget", "copy")
SLOWEST_S = 60.0


def contents_of(number: int) -> dict[str, bytes]:
    """Archives that overlap with their neighbours, in arrays and in documents."""
    near = range(number, number + 3)
    return {f"data/{n}.bin": counts(n, 150_000) for n in near} | {f"{n}.json": b'{"n":%d}' % n for n in near}


class Household:
    """A lake, its second copy, archives, and processes that are killed."""

    def __init__(self, url: str, folder: Path, environment: Mapping[str, str], seed: int) -> None:
        self.url, self.copy_url, self.folder = url, f"{url}-copy", folder
        self.random = random.Random(seed)
        self.own = environment  # what the store is reached by
        self.environment = {**os.environ, **environment, "SXESLAKE_CACHE": str(folder / "cache of the children")}
        self.contents = {f"s{number}": contents_of(number) for number in range(ARCHIVES)}
        for name, contents in self.contents.items():
            zip_of(folder / "in" / f"{name}.zip", contents)
        self.there: set[str] = set()  # reported as added, and nobody has tried to forget it since
        self.seconds: dict[str, float] = {}  # what an operation takes when it is let alone
        self.killed = 0

    def arguments(self, operation: str) -> list[str]:
        if operation == "copy":
            return ["copy", self.url, self.copy_url, "--json"]
        names = self.random.sample(sorted(self.contents), 3)
        if operation == "ingest":
            paths = [str(self.folder / "in" / f"{name}.zip") for name in names]
            return ["ingest", *paths, "--lake", self.url, "--json"]
        if operation == "forget":
            victim = self.random.choice(sorted(self.there) or sorted(self.contents))
            self.there.discard(victim)
            return ["forget", victim, "--yes", "--lake", self.url, "--json"]
        return ["gc", "--grace", "0", "--lake", self.url, "--json"]

    def start(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "sxeslake", *arguments],
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def round(self, operation: str) -> None:
        """Run it, kill it at a random moment, and hold what it said against the lake."""
        usual = self.seconds.get(operation)
        delay = SLOWEST_S if usual is None else self.random.uniform(0.4, 1.05) * usual
        began = time.monotonic()
        process = self.start(self.arguments(operation))
        try:
            out, err = process.communicate(timeout=delay)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            self.killed += 1
        else:
            self.seconds[operation] = time.monotonic() - began
            assert process.returncode in ({0, 3} if operation == "forget" else {0}), (operation, out, err)
        if operation == "ingest" and out.endswith(b"}\n"):
            self.there |= {row["sample"] for row in json.loads(out)["archives"] if row["status"] != "failed"}
        self.check()

    def check(self) -> None:
        """Both lakes are whole, and hold what they were said to hold."""
        for url in (self.url, self.copy_url):
            with self.open(url) as lake:
                report = lake.verify(data=True)
                assert report.ok, report.problems
                assert all(name in self.contents for name in {row.sample for row in lake.ls()})
        with self.open(self.url) as lake:
            assert self.there <= {row.sample for row in lake.ls()}

    def check_contents(self) -> None:
        """Every version of both lakes pulls back equal."""
        pulled = self.folder / "pulled.zip"
        for url in (self.url, self.copy_url):
            with self.open(url) as lake:
                for row in lake.ls(all_versions=True):
                    lake.pull(f"{row.sample}@{row.version}", pulled, force=True, exact=False)
                    with zipfile.ZipFile(pulled) as archive:
                        found = {name: archive.read(name) for name in archive.namelist()}
                    assert found == self.contents[row.sample]

    @contextmanager
    def open(self, url: str) -> Iterator[Lake]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.own.items():
                patch.setenv(name, value)
            with open_lake(url) as lake:
                yield lake

    def run(self, kills: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.own.items():
                patch.setenv(name, value)
            init(self.url).close()
            init(self.copy_url).close()
        for operation in ("ingest", "copy", "gc", "forget"):  # let alone: how long each takes
            self.round(operation)
        while self.killed < kills:
            self.round(self.random.choice(OPERATIONS))
            if self.killed % 20 == 0:
                self.check_contents()
        self.check_contents()
        for url in (self.url, self.copy_url):  # by a child: with the caches that the killed ones left
            last = self.start(["verify", "--data", "--lake", url])
            last.communicate(timeout=SLOWEST_S)
            assert last.returncode == 0
        with self.open(self.url) as lake:
            for name in sorted(self.there):
                lake.forget(name)
                with pytest.raises(SampleNotFoundError):
                    lake.show(name)
            lake.gc(grace="0")


@pytest.mark.timeout(60 + 10 * KILLS)
def test_killed_at_random_moments_on_disk(tmp_path: Path) -> None:
    Household(str(tmp_path / "lake"), tmp_path, {}, seed=KILLS).run(KILLS)


@pytest.mark.s3
def test_killed_at_random_moments_on_s3(s3_server: Seaweed, tmp_path: Path) -> None:
    url = f"s3://{BUCKET}/kill-{tmp_path.name}"
    Household(url, tmp_path, s3_server.environment(), seed=1).run(KILLS_ON_S3)


@pytest.mark.skipif(not KILLS_ON_STORES, reason="a long run: set SXESLAKE_KILLS_ON_STORES to a number of kills")
@pytest.mark.timeout(120 + 60 * KILLS_ON_STORES)
@pytest.mark.parametrize("kind", ["azure", "gcs", "sftp"])
def test_killed_at_random_moments_on_other_stores(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    server: StoreServer = request.getfixturevalue(f"{kind}_server")
    url = server.url(f"kill-{tmp_path.name}")
    Household(url, tmp_path, server.environment, seed=2).run(KILLS_ON_STORES)


def test_an_ingest_that_was_killed_is_resumed(tmp_path: Path) -> None:
    """A map of 82 MB, 147 MB unpacked, killed with a part of its packs uploaded: the next run uploads only the rest."""
    source = write_archive(tmp_path / "map.plzip", map_members(MapPlan(5, 30, 28)), level=1)
    url = str(tmp_path / "lake")
    init(url).close()
    household = Household(url, tmp_path, {}, seed=0)
    store = open_store(url)
    process = household.start(["ingest", str(source), "--exact", "never", "--lake", url])
    while not any(store.list(keys.PACK_PREFIX)) and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    there = {info.key for info in store.list(keys.PACK_PREFIX)}
    assert there
    assert list(store.list(keys.LOG_PREFIX)) == []
    again = household.start(["ingest", str(source), "--exact", "never", "--lake", url, "--json"])
    out, _ = again.communicate(timeout=SLOWEST_S)
    (archive,) = json.loads(out)["archives"]
    packs = {info.key: info.size for info in store.list(keys.PACK_PREFIX)}
    with open_lake(url) as lake:
        used = {keys.pack_key(pack) for pack in vault_of(lake).state.pack_ids()}
        assert there <= used
        assert packs.keys() == used
        assert sum(size for key, size in packs.items() if key not in there) > 1_000_000
        assert archive["blobs_new"] == archive["blobs"] == lake.stats().blobs
        assert lake.stats().bytes_stored == pytest.approx(sum(packs.values()), rel=0.02)
        assert lake.verify(data=True).ok
        assert lake.gc(grace="0").orphans == 0
