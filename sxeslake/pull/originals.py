"""The vendor's files of a converted version: its recipes, and their members, straight from the lake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sxeslake.archive.sxes import layout
from sxeslake.model import Limits, Progress
from sxeslake.reading.source import VersionSource
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault
from sxeslake.vendor.writing.restoring import MemberBlock, Originals, OriginalsReport


def restore_version(
    vault: Vault, version: Version, out: Path, limits: Limits, progress: Progress | None = None
) -> OriginalsReport:
    """Give back the vendor's files of a version in the folder `out`; only what they are made of is fetched."""
    source = VersionSource(vault, version)
    with vault.reading(version):
        paths = [member.path for member in source.children(f"{layout.SOURCES}/") if member.kind == "file"]
        originals = Originals(((path, source.read(path)) for path in paths), version.name)
        originals.check(limits, version.archive.bytes_raw)
        report = originals.restore(_blocks(source, sorted(originals.members), progress), out)
    return replace(report, sample=version.sample, version=version.version)


def _blocks(source: VersionSource, members: list[str], progress: Progress | None) -> Iterator[MemberBlock]:
    if progress is not None:
        progress.start(f"originals {source.name}", None)
    for block in source.blocks(members):
        yield MemberBlock(*block)
        if progress is not None:
            progress.advance(len(block[2]))
    if progress is not None:
        progress.finish()
