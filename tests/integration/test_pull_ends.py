"""A pull that is asked to end, by whom ever, leaves nothing half-written."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import pytest
from support.interrupting import interrupted
from support.scripted_s3 import SECRETS, ScriptedS3
from support.small_lakes import counts, zip_of

from sxeslake.lake import init

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of its own")


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("out", ["x.plzip", "x/"])
def test_nothing_stays(tmp_path: Path, how: str, out: str) -> None:
    noise = random.Random(1)  # of a known size in the lake, so that the limit makes each window wait
    members = {f"{number}.xes": noise.randbytes(500_000) for number in range(12)}
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(zip_of(tmp_path / "map.zip", members), exact="never")
    work = tmp_path / "work"
    work.mkdir()
    setting = {**os.environ, "SXESLAKE_LAKE": str(tmp_path / "lake"), "SXESLAKE_CACHE": str(tmp_path / "cache")}

    def is_in_the_midst() -> bool:
        found = [path.suffix for path in work.iterdir()]
        assert found in ([], [".partial"]), "it was to be caught in the midst"
        return bool(found)

    # for so long its threads come to wait for the limit
    command = ["pull", "map", "-o", out, "--limit-down", "200kB/s"]
    ended = interrupted(command, work, setting, getattr(signal, how), is_waiting=is_in_the_midst, settle_s=1.5)
    assert (ended.code, "Interrupted." in ended.said) == (130, True)
    assert ended.seconds < 2, "the limit's wait was to end"
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_silent_server_does_not_hold_it_up(tmp_path: Path, how: int) -> None:
    """Threads that read ahead wait for it, and would for 20 s."""
    server = ScriptedS3()
    options = {"endpoint_url": server.endpoint, "key": SECRETS["key"], "secret": SECRETS["secret"]}
    with init("s3://bucket/lake", storage_options=options) as lake:
        lake.ingest(zip_of(tmp_path / "map.zip", {f"{at}.xes": counts(at, 20_000) for at in range(9)}), exact="never")
    server.silent_reads_of["/packs/"] = "silence 30"
    setting = {**os.environ, **server.environment(), "SXESLAKE_CACHE": str(tmp_path / "other cache")}
    work = tmp_path / "work"
    work.mkdir()
    command = ["pull", "map", "-o", "x.plzip"]
    try:
        ended = interrupted(command, work, setting, how, is_waiting=lambda: server.silences)
    finally:
        server.stop()
    assert (ended.code, "Interrupted." in ended.said, ended.seconds < 1) == (130, True, True)
    assert list(work.iterdir()) == []
