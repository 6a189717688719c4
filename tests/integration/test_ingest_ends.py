"""Long ingests talk, keep what is finished, and end within a second of Ctrl-C, also where the link is silent."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.scripted_s3 import SECRETS, ScriptedS3
from support.small_lakes import counts, zip_of

from sxeslake.lake import init, open_lake

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of its own")

ARCHIVES = 14


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    for number in range(ARCHIVES):
        zip_of(tmp_path / "in" / f"{number:02}.zip", {f"{at}.bin": counts(40 * number + at, 40_000) for at in range(8)})
    return tmp_path / "in"


@pytest.fixture
def server() -> Iterator[ScriptedS3]:
    made = ScriptedS3()
    yield made
    made.stop()


EAGER = ("-c", "from sxeslake.ingest import engine; engine._FIRST_S = 0.05; from sxeslake.cli import main; main()")
"""The command with a first commit after 50 ms: the archives of a test are read in less than two seconds."""


def ended(
    arguments: list[str],
    setting: dict[str, str],
    is_time: Callable[[str], bool],
    how: int = signal.SIGINT,
    program: tuple[str, ...] = ("-m", "sxeslake"),
) -> tuple[int, float, str, str]:
    """Run a command, send it a signal as soon as a line on stderr says so; code, seconds to its end, output."""
    command = [sys.executable, *program, *arguments]
    before = signal.signal(how, lambda *_: None) if how != signal.SIGKILL else None
    with subprocess.Popen(
        command, env={**os.environ, **setting}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        if before is not None:
            signal.signal(how, before)
        try:
            assert running.stderr is not None
            while not is_time(line := running.stderr.readline()):
                assert line, "it ended before its time"
            sent = time.monotonic()
            running.send_signal(how)
            out, err = running.communicate(timeout=30)
        finally:
            running.kill()
    return running.returncode, time.monotonic() - sent, out, err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_what_is_finished_is_kept_and_said(tmp_path: Path, archives: Path, how: int) -> None:
    lake = str(tmp_path / "lake")
    init(lake).close()
    setting = {"SXESLAKE_LAKE": lake, "SXESLAKE_CACHE": str(tmp_path / "cache")}
    code, seconds, out, err = ended(
        ["ingest", str(archives), "--exact", "never"], setting, lambda line: line.startswith(f"4 of {ARCHIVES}"), how
    )
    with open_lake(lake) as opened:
        kept = opened.ls()
        assert code == 130
        assert seconds < 1.5  # one, and what a busy machine takes to start threads
        assert 4 <= len(kept) < ARCHIVES
        assert f"Interrupted. {ARCHIVES} archives: {len(kept)} stored and kept in " in err
        assert "run the same command again to continue." in err
        assert out.count("stored     ") == len(kept)
        report = opened.ingest(archives, exact="never")
    tally = [archive.status for archive in report.archives]
    assert (tally.count("unchanged"), tally.count("added")) == (len(kept), ARCHIVES - len(kept))


def test_a_killed_ingest_keeps_what_was_committed(tmp_path: Path) -> None:
    """By then archives are in the lake, for the first commit comes early; each takes half a second at this rate."""
    noise, archives = random.Random(1), tmp_path / "in"
    for number in range(ARCHIVES):
        zip_of(archives / f"{number:02}.zip", {"noise.bin": noise.randbytes(500_000)})
    lake = str(tmp_path / "lake")
    init(lake).close()
    setting = {
        "SXESLAKE_LAKE": lake, "SXESLAKE_CACHE": str(tmp_path / "cache"), "SXESLAKE_LIMIT_UP": "1MB/s",
        "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    log = tmp_path / "lake" / "log"

    def is_committed(_: str) -> bool:
        return any(path.is_file() for path in log.rglob("*.json"))

    code, _, _, _ = ended(["ingest", str(archives), "--exact", "never"], setting, is_committed, signal.SIGKILL, EAGER)
    with open_lake(lake) as opened:
        assert (code, 1 <= len(opened.ls()) < ARCHIVES) == (-signal.SIGKILL, True)


@pytest.mark.parametrize("silent", ["/packs/", "/log/", "/manifests/"])
def test_a_silent_server_does_not_hold_it_up(tmp_path: Path, archives: Path, server: ScriptedS3, silent: str) -> None:
    options = {"endpoint_url": server.endpoint, "region": "us-east-1"}
    names = {"AWS_ACCESS_KEY_ID": SECRETS["key"], "AWS_SECRET_ACCESS_KEY": SECRETS["secret"]}
    setting = {
        **names, "SXESLAKE_LAKE": "s3://bucket/lake", "SXESLAKE_CACHE": str(tmp_path / "cache"),
        "AWS_ENDPOINT_URL": server.endpoint, "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in names.items():
            patch.setenv(name, value)
        init("s3://bucket/lake", storage_options=options).close()
    server.silent_for[silent] = "silence 60"
    code, seconds, _, err = ended(
        ["ingest", str(archives), "--exact", "never"],
        setting,
        lambda line: line.startswith(f"{ARCHIVES} of {ARCHIVES}"),
    )
    assert (code, seconds < 2) == (130, True)
    assert f"Interrupted. {ARCHIVES} archives: nothing stored; run the same command again" in err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_goes_silent_does_not_hold_it_up(
    tmp_path: Path, archives: Path, server: ScriptedS3, how: int
) -> None:
    """Reads and writes alike, from one moment to the next."""
    names = {"AWS_ACCESS_KEY_ID": SECRETS["key"], "AWS_SECRET_ACCESS_KEY": SECRETS["secret"]}
    setting = {
        **names, "SXESLAKE_LAKE": "s3://bucket/lake", "SXESLAKE_CACHE": str(tmp_path / "cache"),
        "AWS_ENDPOINT_URL": server.endpoint, "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    options = {"endpoint_url": server.endpoint, "key": SECRETS["key"], "secret": SECRETS["secret"]}
    init("s3://bucket/lake", storage_options=options).close()

    def is_silent(line: str) -> bool:
        if not line.startswith("4 of "):
            return False
        server.silent_for[""] = server.silent_reads_of[""] = "silence 60"
        give_up = time.monotonic() + 20
        while not server.silences and time.monotonic() < give_up:
            time.sleep(0.02)
        return True

    code, seconds, _, err = ended(["ingest", str(archives), "--exact", "never"], setting, is_silent, how)
    assert (code, seconds < 1.5) == (130, True)  # one, and what a busy machine takes to start threads
    assert "run the same command again" in err


def test_every_archive_has_its_line_and_quiet_is_quiet(tmp_path: Path, archives: Path) -> None:
    lake = str(tmp_path / "lake")
    init(lake).close()
    command = [sys.executable, "-m", "sxeslake", "--lake", lake, "ingest", str(archives), "--exact", "never"]
    setting = {**os.environ, "SXESLAKE_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([*command, "--dry-run"], env=setting, capture_output=True, text=True, check=True)
    heads = [line.split("  ")[0].strip() for line in done.stderr.splitlines() if " of " in line]
    assert heads == [f"{number} of {ARCHIVES}" for number in range(1, ARCHIVES + 1)]
    quiet = subprocess.run([*command, "-q"], env=setting, capture_output=True, text=True, check=True)
    assert (quiet.stderr, quiet.stdout.count("stored     ")) == ("", ARCHIVES)
