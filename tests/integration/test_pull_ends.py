"""A pull that is asked to end, by whom ever, leaves nothing half-written."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
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
    command = [sys.executable, "-m", "sxeslake", "pull", "map", "-o", out, "--limit-down", "200kB/s"]
    setting = {**os.environ, "SXESLAKE_LAKE": str(tmp_path / "lake"), "SXESLAKE_CACHE": str(tmp_path / "cache")}
    number = getattr(signal, how)
    # Under nohup a child would inherit that hang-ups are ignored; a handler is not inherited.
    before = signal.signal(number, lambda *_: None)
    with subprocess.Popen(command, cwd=work, env=setting, stderr=subprocess.PIPE, text=True) as pull:
        signal.signal(number, before)
        try:
            give_up = time.monotonic() + 30
            while not any(work.iterdir()) and pull.poll() is None and time.monotonic() < give_up:
                time.sleep(0.02)
            assert [path.suffix for path in work.iterdir()] == [".partial"], "it was to be caught in the midst"
            time.sleep(1.5)  # let its threads come to wait for the limit
            sent = time.monotonic()
            pull.send_signal(number)
            _, said = pull.communicate(timeout=30)
            seconds = time.monotonic() - sent
        finally:
            pull.kill()
    assert (pull.returncode, "Interrupted." in said) == (130, True)
    assert seconds < 2, "the limit's wait was to end"
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_silent_server_does_not_hold_it_up(tmp_path: Path, how: int) -> None:
    """Threads that read ahead wait for it, and would for 20 s."""
    server = ScriptedS3()
    options = {"endpoint_url": server.endpoint, "key": SECRETS["key"], "secret": SECRETS["secret"]}
    with init("s3://bucket/lake", storage_options=options) as lake:
        lake.ingest(zip_of(tmp_path / "map.zip", {f"{at}.xes": counts(at, 20_000) for at in range(9)}), exact="never")
    server.silent_reads_of["/packs/"] = "silence 30"
    setting = {
        **os.environ, "SXESLAKE_LAKE": "s3://bucket/lake", "SXESLAKE_CACHE": str(tmp_path / "other cache"),
        "AWS_ENDPOINT_URL": server.endpoint, "AWS_ACCESS_KEY_ID": SECRETS["key"],
        "AWS_SECRET_ACCESS_KEY": SECRETS["secret"],
    }  # fmt: skip
    work = tmp_path / "work"
    work.mkdir()
    command = [sys.executable, "-m", "sxeslake", "pull", "map", "-o", "x.plzip"]
    before = signal.signal(how, lambda *_: None)
    with subprocess.Popen(command, cwd=work, env=setting, stderr=subprocess.PIPE, text=True) as pull:
        signal.signal(how, before)
        try:
            give_up = time.monotonic() + 30
            while not server.silences and pull.poll() is None and time.monotonic() < give_up:
                time.sleep(0.02)
            time.sleep(0.3)  # let all its threads come to wait
            sent = time.monotonic()
            pull.send_signal(how)
            _, said = pull.communicate(timeout=30)
            seconds = time.monotonic() - sent
        finally:
            pull.kill()
    server.stop()
    assert (pull.returncode, "Interrupted." in said, seconds < 1) == (130, True, True)
    assert list(work.iterdir()) == []
