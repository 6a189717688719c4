"""A lake in figures, from the log and one listing."""

from __future__ import annotations

from sxeslake.upkeep.report import Stats
from sxeslake.vault.vault import Vault


def stats(vault: Vault) -> Stats:
    """Count what is alive; `bytes_stored` is every byte below the lake's address."""
    versions = vault.state.versions()
    packs = vault.state.packs().values()
    sizes = [item.size for item in vault.store.list("")]
    return Stats(
        samples=len({version.sample for version in versions}),
        archives=len(versions),
        members=sum(version.archive.members for version in versions),
        bytes_source=sum(version.archive.bytes_source for version in versions),
        bytes_raw=sum(version.archive.bytes_raw for version in versions),
        blobs=sum(item.blobs for item in packs),
        bytes_unique_raw=sum(item.raw_bytes for item in packs),
        bytes_stored=sum(sizes),
        objects=len(sizes),
        packs=len(packs),
        log_head=vault.state.head().number,
    )
