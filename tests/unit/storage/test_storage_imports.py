"""Storage stays light: fsspec and the S3 client load only for the URLs that need them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("fsspec", "s3fs", "aiobotocore", "botocore", "aiohttp")


@pytest.mark.parametrize("url", ["/tmp/lake", "memory://x"])
def test_a_local_lake_loads_no_client(url: str) -> None:
    script = (
        "import sys; from sxeslake.storage import open_store; open_store(sys.argv[1])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, url]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert run.stdout.strip() == "[]"
