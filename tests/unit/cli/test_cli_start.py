"""What a command does not load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_INGEST = """
import sys
from sxeslake.cli.run import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
import pyarrow
assert pyarrow.array([1]).to_pylist() == [1]
print(*(name for name in ("pandas", "duckdb") if name in sys.modules))
"""


def test_ingest_loads_no_pandas(tmp_path: Path) -> None:
    words = ["ingest", "--tree", "--quiet", str(tmp_path / "notes"), "--lake", str(tmp_path / "lake")]
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "today.txt").write_text("nothing")
    subprocess.run([sys.executable, "-m", "sxeslake", "init", "--lake", str(tmp_path / "lake")], check=True)
    done = subprocess.run([sys.executable, "-c", _INGEST, *words], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == ""
