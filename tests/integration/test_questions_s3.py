"""Questions to a bucket: a new machine starts from the checkpoint, a reader needs no permission to write."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from support.internals import catalog_of
from support.seaweed import Seaweed
from support.small_lakes import group, zip_of

import sxeslake
from sxeslake.errors import AccessDeniedError


@pytest.mark.s3
def test_a_new_machine_and_a_reader(s3_server: Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"s3://lake/{uuid4().hex}"
    with sxeslake.init(url, storage_options=s3_server.options()) as lake:
        for number in (1, 3, 5):
            lake.ingest(zip_of(tmp_path / f"{number}.plzip", group(number)))
        lake.annotate("3", role="standard")
        report = lake.checkpoint()
        assert report.new_bytes > report.bytes > 0
        lake.ingest(zip_of(tmp_path / "7.plzip", group(7)))  # behind the checkpoint
        expected = lake.positions().rows()
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "new machine"))
    with sxeslake.open(url, storage_options=s3_server.options("reader")) as lake:
        assert lake.positions().rows() == expected
        assert {part.table for part in catalog_of(lake).database().snapshot.parts if part.home == report.commit}
        assert [row["value"] for row in lake.sql("SELECT value FROM annotations").rows()] == ["standard"]
        assert lake.rebuild_catalog().equal
        with pytest.raises(AccessDeniedError):
            lake.annotate("1", role="standard")
        with pytest.raises(AccessDeniedError):
            lake.checkpoint()
