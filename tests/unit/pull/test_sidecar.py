"""Annotations of a version comes beside its archive, and nothing of it stays behind or is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.small_lakes import group, zip_of

from sxeslake.errors import AlreadyExistsError
from sxeslake.lake import Lake, init


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """A lake with one sample, of which something is said."""
    with init(str(tmp_path / "lake")) as made:
        made.ingest(zip_of(tmp_path / "a.plzip", group(1)))
        made.annotate("a", role="standard", material="窒化チタン")
        yield made


@pytest.mark.parametrize("out", ["x.plzip", "x.pl7z", "deep/x", "x/"])
def test_beside_every_kind_of_archive(lake: Lake, tmp_path: Path, out: str) -> None:
    report = lake.pull("a", f"{tmp_path}/out/{out}")
    beside = Path(f"{tmp_path}/out/{out.rstrip('/')}.annotations.json")
    assert report.annotations == str(beside)
    document = json.loads(beside.read_text(encoding="utf-8"))
    assert (document["sample"], document["version"], document["lake"]) == ("a", 1, lake.url)
    assert {each["key"]: each["value"] for each in document["annotations"]} == {
        "role": "standard",
        "material": "窒化チタン",
    }
    assert {"who", "time"} <= set(document["annotations"][0])


def test_the_archive_is_the_one_that_was_stored(lake: Lake, tmp_path: Path) -> None:
    lake.pull("a", tmp_path / "out" / "a.plzip")
    assert lake.ingest([tmp_path / "out" / "a.plzip"]).archives[0].status == "unchanged"


def test_a_file_of_that_name_is_not_written_over(lake: Lake, tmp_path: Path) -> None:
    beside = tmp_path / "x.plzip.annotations.json"
    beside.write_text("mine")
    with pytest.raises(AlreadyExistsError, match=r"annotations\.json"):
        lake.pull("a", tmp_path / "x.plzip")
    assert beside.read_text() == "mine"
    assert not (tmp_path / "x.plzip").exists()
    assert lake.pull("a", tmp_path / "x.plzip", force=True).annotations == str(beside)
    lake.annotate("a", role=None, material=None)
    assert lake.pull("a", tmp_path / "x.plzip", force=True).annotations is None
    assert not beside.exists(), "what is no longer said must not stand beside the new archive"
