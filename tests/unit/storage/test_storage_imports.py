"""Storage stays light: clients load only for the URLs that need them, botocore only where variables are not all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripted_s3 import ScriptedS3

HEAVY = ("fsspec", "botocore", "http.client", "ssl")


@pytest.mark.parametrize("url", ["/tmp/lake", "memory://x"])
def test_a_local_lake_loads_no_client(url: str) -> None:
    script = (
        "import sys; from sxeslake.storage import open_store; open_store(sys.argv[1])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, url]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert run.stdout.strip() == "[]"


def test_a_bucket_with_keys_in_variables_loads_no_botocore(tmp_path: Path) -> None:
    server = ScriptedS3()
    server.objects["/b/lake/p"] = b"1"
    script = (
        "import sys; from sxeslake.storage import open_store; assert open_store('s3://b/lake').get('p') == b'1'\n"
        "print([name for name in ('botocore', 'fsspec', 'asyncio') if name in sys.modules])"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": server.endpoint}
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
        env={**plain, **keys, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)},
    )
    server.stop()
    assert run.stdout.strip() == "[]"
