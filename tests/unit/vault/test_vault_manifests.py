"""A manifest is read only where it is the one that the log names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.internals import vault_of

from sxeslake import lake as lakes
from sxeslake.archive.synthetic import MapPlan, map_members, write_archive
from sxeslake.errors import DamagedLakeError
from sxeslake.vault.manifests import Manifests


@pytest.mark.parametrize("by_table", [False, True])
def test_a_manifest_with_another_footer_hash_is_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_table: bool
) -> None:
    source = write_archive(tmp_path / "map.plzip", map_members(MapPlan(1, 2, 4)))
    with lakes.init(str(tmp_path / "lake")) as lake:
        lake.ingest(source, exact="never")
        state, store = vault_of(lake).state, vault_of(lake).store
        (version,) = state.versions()
        assert Manifests(store, state).table(version).num_rows == version.archive.rows
        known = state.manifest(version.archive.manifest)
        monkeypatch.setattr(state, "manifest", lambda _: replace(known, footer_blake3="0" * 64))
        manifests = Manifests(store, state)
        with pytest.raises(DamagedLakeError, match="does not agree with the log"):
            manifests.table(version) if by_table else manifests.open(known.id)
