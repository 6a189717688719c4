"""Eight writers, two collectors, a repairer and a client with a damaged cache on a real S3 server: nothing is lost.

`SXESLAKE_WRITERS_SECONDS=120` for the long run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.lake_writer import contents_of
from support.seaweed import BUCKET, Seaweed

from sxeslake.format import keys
from sxeslake.lake import init, open_lake
from sxeslake.storage import open_store

SECONDS = float(os.environ.get("SXESLAKE_WRITERS_SECONDS", "3"))
WRITERS = 8
ROLES = ("collect", *("write",) * WRITERS, "collect", "repair", "damaged")


@pytest.mark.s3
@pytest.mark.timeout(180 + 3 * SECONDS)
def test_many_clients_at_once(s3_server: Seaweed, tmp_path: Path) -> None:
    url = f"s3://{BUCKET}/many-{tmp_path.name}"
    options = s3_server.options()
    init(url, storage_options=options).close()
    events = _run_all(url, s3_server, tmp_path)

    commits = [event["commit"] for event in events if event.get("commit") is not None]
    assert len(commits) == len(set(commits)), "two won the same log number"
    head = max(commits)
    assert sorted(commits) == list(range(1, head + 1))
    entries = [info.key for info in open_store(url, options=options).list(keys.LOG_PREFIX)]
    assert set(map(keys.log_key, range(1, head + 1))) == {
        key for key in entries if not key.startswith(keys.BODY_PREFIX)
    }

    added = {(e["sample"], e["version"]): e["seed"] for e in events if e["did"] == "added"}
    assert len(added) == sum(e["did"] == "added" for e in events), "two were given the same version"
    forgotten = {(e["sample"], e["version"]) for e in events if e["did"] == "forgot"}
    assert len(added) >= WRITERS
    with open_lake(url, storage_options=options) as lake:
        assert {(row.sample, row.version) for row in lake.ls(all_versions=True)} == added.keys() - forgotten
        for (sample, version), seed in added.items():
            if (sample, version) not in forgotten:
                ref = f"{sample}@{version}"
                assert {row.path: lake.read(ref, row.path) for row in lake.members(ref)} == contents_of(seed)
        assert lake.verify(data=True).problems == []
    print(f"{len(added)} added, {len(forgotten)} forgotten, {head} commits")


def _run_all(url: str, server: Seaweed, folder: Path) -> list[dict[str, Any]]:
    """Start all, let them go at once, and gather what they say they did."""
    script = Path(__file__).parents[1] / "support" / "lake_writer.py"
    processes = []
    for number, role in enumerate(ROLES):
        cache = role if role == "damaged" else f"cache {number // 2}"
        environment = {
            **os.environ, **server.environment(), "SXESLAKE_CACHE": str(folder / cache),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(script.parents[2]), os.environ.get("PYTHONPATH")))),
        }  # fmt: skip
        with (folder / f"{number}.err").open("wb") as err:
            processes.append(
                subprocess.Popen(
                    [sys.executable, str(script), url, role, str(number), str(SECONDS)],
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=err,
                    text=True,
                )
            )
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=120 + 2 * SECONDS)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    errors = [(folder / f"{number}.err").read_text() for number in range(len(ROLES))]
    assert [process.returncode for process in processes] == [0] * len(processes), "\n".join(errors)
    return [json.loads(line) for out in said for line in out.splitlines()]
