"""What a command does not load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sxeslake.archive import synthetic_facility

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


def test_a_command_that_needs_an_extra_gets_pandas(tmp_path: Path) -> None:
    """Zarr goes through xarray, which needs pandas; the program, not `run`, keeps pandas away from other commands."""
    paths = synthetic_facility(tmp_path / "in", nx=2, ny=2)
    lake, out = str(tmp_path / "lake"), tmp_path / "out.zarr"
    program = [sys.executable, "-m", "sxeslake"]
    assert subprocess.run([*program, "init", lake], check=False, capture_output=True).returncode == 0
    subprocess.run(
        [*program, "ingest", str(paths[0]), "--lake", lake, "--sample", "map"], check=True, capture_output=True
    )
    done = subprocess.run(
        [*program, "export", "map", "--to", "zarr", "-o", str(out), "--lake", lake],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout.startswith("exported")) == (0, True), done.stderr
