"""What tests reach behind the public face of a lake: here alone, so that a change of its inside is one change here."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from sxeslake.catalog.catalog import Catalog
    from sxeslake.catalog.union import UnionCatalog
    from sxeslake.lake import Lake
    from sxeslake.lakes import Lakes
    from sxeslake.vault.log.state import Version
    from sxeslake.vault.vault import Vault


def vault_of(lake: Lake) -> Vault:
    """The open lake below the Python API: store, log, manifests, blobs."""
    return lake._vault


@overload
def catalog_of(lake: Lake) -> Catalog: ...
@overload
def catalog_of(lake: Lakes) -> UnionCatalog: ...
def catalog_of(lake: Lake | Lakes) -> Catalog | UnionCatalog:
    """The catalogue that questions are put to, opened where it was not."""
    return lake._asked()


def close_catalog(lake: Lake) -> None:
    """Close the catalogue, so that the next question opens it anew."""
    lake._close_catalog()


def version_of(lake: Lake, ref: str) -> Version:
    """What the log holds of one version."""
    return lake._version(ref)
