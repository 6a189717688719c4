"""An exact pull is proved by the SHA-256 in the log before anybody gets it."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest
from support.internals import vault_of

from sxeslake import lake as lakes
from sxeslake.archive import deflate
from sxeslake.archive.exact import encoders
from sxeslake.archive.exact.rebuild import OtherBytesError
from sxeslake.archive.synthetic import MapPlan, map_members, write_archive
from sxeslake.errors import DamagedLakeError
from sxeslake.pull.exact import write_exact
from sxeslake.vault.log.state import Version


@pytest.fixture
def stored(tmp_path: Path) -> tuple[lakes.Lake, Version, bytes]:
    """A lake with one exact archive, its version and its bytes."""
    source = write_archive(tmp_path / "map.plzip", map_members(MapPlan(1, 2, 4)))
    lake = lakes.init(str(tmp_path / "lake"))
    lake.ingest(source, exact="always")
    (version,) = vault_of(lake).state.versions("v.sample = ?", ("map",))
    return lake, version, source.read_bytes()


def table_of(lake: lakes.Lake, version: Version) -> pa.Table:
    return vault_of(lake).manifests.table(version)


def test_a_recipe_of_another_file_is_damage(stored: tuple[lakes.Lake, Version, bytes]) -> None:
    lake, version, _ = stored
    with lake:
        other = replace(
            version, archive=replace(version.archive, source={**version.archive.source, "sha256": "0" * 64})
        )
        with pytest.raises(DamagedLakeError, match="another file"):
            write_exact(vault_of(lake), other, table_of(lake, version), BytesIO(), threads=1, moved=lambda: None)


@pytest.mark.skipif(not deflate.HAVE_ISAL, reason="ISA-L is not installed")
def test_an_encoder_that_gives_other_bytes_of_the_same_length_is_refused(
    stored: tuple[lakes.Lake, Version, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, version, data = stored
    with lake:
        out = BytesIO()
        write_exact(vault_of(lake), version, table_of(lake, version), out, threads=1, moved=lambda: None)
        assert out.getvalue() == data
        finish = encoders._Isal.finish
        monkeypatch.setattr(encoders._Isal, "finish", lambda encoder: _flipped(finish(encoder)))
        with pytest.raises(OtherBytesError):
            write_exact(vault_of(lake), version, table_of(lake, version), BytesIO(), threads=1, moved=lambda: None)


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1]) if data else data
