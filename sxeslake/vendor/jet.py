"""Jet databases (`.MDB`): tables by the package `access_parser`, in a process of its own with a bound on its time."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sxeslake.extras import load

from .records import Json
from .tree import Tree

MAGIC: Final = b"Standard Jet DB"
MAGIC_AT: Final = 4
INSTALL: Final = 'pip install "sxeslake[mdb]"'

_MOST_BYTES = 1 << 30
_COPY = 1 << 24
_SECONDS = 120
_PROGRAM = Path(__file__).with_name("jet_tables.py")


def read_tables(
    tree: Tree, path: str, wanted: Sequence[str], seconds: float = _SECONDS
) -> dict[str, list[Json] | None]:
    """The rows of those tables that are there; None of one that could not be read whole.

    MissingExtraError without the package; ValueError where the database cannot be read, or not in time.
    """
    load("access_parser", "mdb", "a Jet database (.MDB)")
    if tree.sizes[path] > _MOST_BYTES:
        raise ValueError(f"{tree.sizes[path]:,} bytes are more than are read of a database")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "database.mdb")
        with copy.open("wb") as file:
            for at in range(0, tree.sizes[path], _COPY):
                file.write(tree.read(path, at, _COPY))
        try:
            done = subprocess.run(
                [sys.executable, "-I", str(_PROGRAM), str(copy), *wanted],
                capture_output=True,
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise ValueError(f"the database was not read in {seconds:.0f} s") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ValueError(f"the database could not be read ({said[-1][:160] if said else 'no reason given'})")
    found: dict[str, list[Json] | None] = json.loads(done.stdout)
    return found
