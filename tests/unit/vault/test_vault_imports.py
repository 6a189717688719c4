"""A thin laptop that lists a lake waits for nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sxeslake.lake import init

_HEAVY = {"aiohttp", "botocore", "duckdb", "fsspec", "numpy", "pcodec", "pyarrow", "s3fs"}
_LIST = """
import sys
from sxeslake.lake import open_lake
with open_lake(sys.argv[1]) as lake:
    lake.ls()
print(*sorted(name for name in sys.argv[2:] if name in sys.modules))
"""


def test_listing_loads_neither_arrays_nor_tables_nor_codecs(tmp_path: Path) -> None:
    init(str(tmp_path / "lake")).close()
    command = [sys.executable, "-c", _LIST, str(tmp_path / "lake"), *_HEAVY]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == ""
