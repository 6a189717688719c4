"""What the bucket says of the objects that a version needs: also while a collector moves them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.internals import vault_of
from support.small_lakes import counts, new_lake, objects, own_store, zip_of

from sxeslake.lake import Lake
from sxeslake.storage import Store
from sxeslake.vault.presence import Presence
from sxeslake.vault.vault import Vault


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    return own_store(request)


@pytest.fixture
def lake(store: Store) -> Iterator[Lake]:
    with new_lake(store) as opened:
        yield opened


@pytest.fixture
def stale(lake: Lake, store: Store, tmp_path: Path) -> Iterator[Vault]:
    """A client that has folded two archives, `kept` and `gone`, and nothing that came later."""
    lake.ingest([zip_of(tmp_path / f"{name}.zip", {"x": counts(n, 50_000)}) for n, name in enumerate(["kept", "gone"])])
    opened = Vault(store, None)
    yield opened
    opened.close()


@pytest.mark.parametrize("data", [False, True])
def test_what_a_collector_moved_is_there(lake: Lake, store: Store, stale: Vault, data: bool) -> None:
    before = set(objects(store))
    lake.forget(["gone"])
    lake.gc(grace="0s")
    assert not {key for key in before if key.startswith("packs/")} & set(objects(store)), "all packs were rewritten"
    gone, kept = stale.state.versions()
    presence = Presence(stale, data=data)
    assert presence.fault(kept) is None
    assert all("forgotten meanwhile" in str(Presence(vault).fault(gone)) for vault in (stale, vault_of(lake)))


def test_an_object_is_missed_also_by_a_stale_client(lake: Lake, store: Store, stale: Vault) -> None:
    lake.forget(["gone"])
    store.delete([key for key in objects(store) if key.startswith("packs/")])
    _, kept = stale.state.versions()
    assert "is missing" in str(Presence(stale).fault(kept))
