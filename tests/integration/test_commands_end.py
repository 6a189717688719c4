"""Commands that wait for a silent server end within a second of Ctrl-C, and say what is kept."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from support.interrupting import interrupted
from support.scripted_s3 import SECRETS, ScriptedS3
from support.small_lakes import counts, zip_of

from sxeslake.lake import init

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of its own")


@pytest.mark.parametrize(
    ("silent", "words", "said"),
    [
        ("/packs/", "pull --all -o out", "0 of 2 archives complete; run the same command again"),
        ("/packs/", "pull map -o out/", "Nothing half-written is left; run the same command again"),
        ("/packs/", "pull map --member 0.xes -o part.zip", "Nothing half-written is left; run the same command again"),
        ("", "ls", ""),
        ("", "find map", ""),
        ("", "query positions-by-condition", "The lake is unchanged; run the same command again"),
        ("/packs/", "copy s3://bucket/lake copied", "What was committed is kept in DST; run the same command again"),
        ("/packs/", "sync map out", "Files that were written are whole; run the same command again"),
        ("/packs/", "cat map 0.xes", "The output is not complete; run the same command again"),
        ("/packs/", "verify --data", "The lake is unchanged; run the same command with --resume to continue"),
    ],
)
def test_a_silent_server_does_not_hold_it_up(tmp_path: Path, silent: str, words: str, said: str) -> None:
    server = ScriptedS3()
    options = {"endpoint_url": server.endpoint, "key": SECRETS["key"], "secret": SECRETS["secret"]}
    with init("s3://bucket/lake", storage_options=options) as lake:
        for at, name in enumerate(("map", "line")):
            members = {f"{number}.xes": counts(40 * at + number, 20_000) for number in range(9)}
            lake.ingest(zip_of(tmp_path / f"{name}.zip", members), exact="never")
    server.silent_reads_of[silent] = "silence 30"
    setting = {**os.environ, **server.environment(), "SXESLAKE_CACHE": str(tmp_path / "other cache")}
    work = tmp_path / "work"
    work.mkdir()
    if words.startswith("copy"):
        init(str(work / "copied")).close()
    try:
        ended = interrupted(words.split(), work, setting, signal.SIGINT, is_waiting=lambda: server.silences)
    finally:
        server.stop()
    assert (ended.code, ended.seconds < 1.5) == (130, True)  # one, and what a busy machine takes
    assert f"Interrupted. {said}".rstrip() in ended.said
