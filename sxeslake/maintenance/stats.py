"""A lake in figures, from the log and one listing."""

from __future__ import annotations

from sxeslake.format import keys
from sxeslake.maintenance.report import Stats
from sxeslake.vault.vault import Vault

_TRUTH = (keys.PACK_PREFIX, keys.MANIFEST_PREFIX, keys.LOG_PREFIX, keys.LAKE)


def stats(vault: Vault) -> Stats:
    """Count what is alive; `bytes_stored` is every byte of packs, manifests and log, `bytes_derived` all the rest.

    The rest can be made again: checkpoints, and the texts that explain the format.
    """
    versions = vault.state.versions()
    packs = vault.state.packs().values()
    objects, stored, rest = 0, 0, 0
    for item in vault.store.list(""):
        objects += 1
        if item.key.startswith(_TRUTH):
            stored += item.size
        else:
            rest += item.size
    return Stats(
        samples=len({version.sample for version in versions}),
        archives=len(versions),
        members=sum(version.archive.members for version in versions),
        bytes_source=sum(version.archive.bytes_source for version in versions),
        bytes_raw=sum(version.archive.bytes_raw for version in versions),
        blobs=sum(item.blobs for item in packs),
        bytes_unique_raw=sum(item.raw_bytes for item in packs),
        bytes_stored=stored,
        objects=objects,
        packs=len(packs),
        log_head=vault.state.head().number,
        bytes_derived=rest,
    )
