"""A comparison tells the same contents from the same file, and says what the difference is."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.internals import vault_of
from support.small_lakes import group, new_lake, objects, own_store

from sxeslake.cli.commands.diff import _lines
from sxeslake.lake import Lake

CONTENTS = group(1)


@pytest.fixture
def lake(request: pytest.FixtureRequest) -> Iterator[Lake]:
    with new_lake(own_store(request)) as opened:
        yield opened


def archive(
    path: Path, *, hour: int = 12, mode: int = 0o644, comment: bytes = b"", order: int = 1, level: int = 6
) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name in list(CONTENTS)[::order]:
            info = zipfile.ZipInfo(name, (2020, 2, 29, hour, 0, 0))
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(info, CONTENTS[name], compresslevel=level)
        made.comment = comment
    return path


CASES: dict[str, tuple[dict[str, object], list[str]]] = {
    "nothing": ({}, []),
    "times": ({"hour": 13}, ["times"]),
    "attributes": ({"mode": 0o600}, ["attributes"]),
    "order": ({"order": -1}, ["order"]),
    "comment": ({"comment": b"beam time 7"}, ["comment"]),
    "packing": ({"level": 1}, ["container"]),
    "all": (
        {"hour": 1, "mode": 0, "order": -1, "comment": b"\xff"}, ["times", "attributes", "order", "comment"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_equal_contents_need_not_be_identical(lake: Lake, tmp_path: Path, case: str) -> None:
    how, differs = CASES[case]
    lake.ingest(archive(tmp_path / "a.zip"), sample="a")
    lake.ingest(archive(tmp_path / "b.zip", **how), sample="b")  # type: ignore[arg-type]
    found = lake.diff("a", "b")
    assert (found.equal, found.identical, found.differs) == (True, not differs, differs)
    assert found.members_same == len(CONTENTS)
    lines = list(_lines(found, 20))
    assert lines[0] == f"equal      a@1 and b@1 hold the same {len(CONTENTS)} entries"
    assert lines[1].startswith("differs    in" if differs else "identical")
    assert {line.split()[0] for line in lines[2:] if not line.startswith(" ")} == set(differs)


def test_another_container_is_not_identical(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(archive(tmp_path / "a.zip"), sample="a")
    lake.pull("a", tmp_path / "b.7z")
    lake.ingest(tmp_path / "b.7z", sample="b")
    found = lake.diff("a", "b")
    assert (found.equal, found.container_a, found.container_b) == (True, "zip", "7z")
    assert "container" in found.differs


def test_other_contents_also_tell_times(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(archive(tmp_path / "a.zip"), sample="a")
    with zipfile.ZipFile(archive(tmp_path / "b.zip", hour=13), "a") as more:
        more.writestr("new", b"x")
    lake.ingest(tmp_path / "b.zip", sample="b")
    found = lake.diff("a", "b")
    assert (found.equal, found.identical, found.differs) == (False, False, ["content", "times"])
    assert len(found.layout) == len(CONTENTS)


def test_a_version_is_identical_to_itself_without_a_request(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(archive(tmp_path / "a.zip"), sample="a")
    store = vault_of(lake).store
    store.delete([key for key in objects(store) if key.startswith(("packs/", "manifests/"))])
    assert lake.diff("a", "a@1").identical
