"""The notebook runs as it stands, and shows again what it is kept with.

`jupyter execute --inplace examples/tour.ipynb` makes its outputs anew where they change on purpose.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "tour.ipynb"


def results(notebook: Any) -> list[dict[str, str]]:
    """What each cell gives, by kind: text as it is, of pictures that there is one."""
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ()) if "data" in output]
    return [
        {kind: "" if kind.startswith("image/") else text for kind, text in output.data.items() if kind != "text/html"}
        for output in shown
    ]


# those of jupyter_client and its sockets, not ours: the notebook's own process has its own warnings
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_notebook_runs_and_shows_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "config"))
    kept, run = (nbformat.reads(NOTEBOOK.read_text("utf-8"), as_version=4) for _ in range(2))  # type: ignore[no-untyped-call]
    nbclient.NotebookClient(
        run, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert results(run) == results(kept)
    assert sum("image/png" in result for result in results(kept)) == 3


def test_the_notebook_is_small_and_names_no_machine() -> None:
    text = NOTEBOOK.read_text("utf-8")
    assert len(text) < 400_000
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
    assert '"stderr"' not in text
