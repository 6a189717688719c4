"""Storage stays light: clients load only for the URLs that need them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.small_lakes import counts, zip_of

from sxeslake.lake import init

CLIENTS = {"s3fs", "aiobotocore", "botocore", "aiohttp", "asyncssh", "azure.core", "google.auth"}
HEAVY = {*CLIENTS, "fsspec", "asyncio", "http.client", "ssl"}


@pytest.mark.parametrize("url", ["/tmp/lake", "memory://x"])
def test_a_local_lake_loads_no_client(url: str) -> None:
    script = (
        "import sys; from sxeslake.storage import open_store; open_store(sys.argv[1])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, url]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [["--help"], ["ls"], ["show", "map"], ["query", "condition-values"]])
def test_commands_on_a_local_lake_load_no_client(tmp_path: Path, command: list[str]) -> None:
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(zip_of(tmp_path / "map.zip", {"a.bin": counts(1, 100)}), exact="never")
    program = (
        "import sys; from sxeslake.cli import run; assert not run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    )
    setting = {**os.environ, "SXESLAKE_LAKE": str(tmp_path / "lake")}
    run = subprocess.run(
        [sys.executable, "-c", program, *command], capture_output=True, text=True, check=True, env=setting
    )
    assert CLIENTS & set(run.stderr.split()) == set()
    assert run.stdout
