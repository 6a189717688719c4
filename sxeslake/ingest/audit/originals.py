"""Files of instruments that were converted: which of them a version gives back, by the hashes of its recipes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.text import parse
from sxeslake.archive.sxes.extensions.originals import read_recipe
from sxeslake.errors import DamagedArchiveError, UnsafeNameError
from sxeslake.ingest import source as sources
from sxeslake.reading.source import VersionSource
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault


@dataclass(slots=True)
class KeptOriginals:
    """The vendor files that versions of folders above a file give back; each recipe is read once."""

    vault: Vault
    host: str
    _versions: dict[Path, list[Version]] = field(default_factory=dict)
    _hashes: dict[str, frozenset[str]] = field(default_factory=dict)

    def version_with(self, path: Path, sha256: str) -> Version | None:
        """The newest version, of this file or a folder that it lies in, that gives back a file of this content."""
        whole = path.resolve()
        for place in (whole, *whole.parents):
            for version in reversed(self._of(place)):
                if sha256 in self._kept(version):
                    return version
        return None

    def _of(self, place: Path) -> list[Version]:
        """The live versions that were made of what lies at a place."""
        if place not in self._versions:
            known = self.vault.state.paths("v.path = ? AND v.host = ?", (sources.text_of(place), self.host))
            found = (self.vault.state.live_version(each.sample, each.version) for each in known)
            self._versions[place] = [each for each in found if each is not None and each.archive.kind == "sxes"]
        return self._versions[place]

    def _kept(self, version: Version) -> frozenset[str]:
        if version.name not in self._hashes:
            source = VersionSource(self.vault, version)
            with self.vault.reading(version):
                paths = [member.path for member in source.children(f"{layout.SOURCES}/") if member.kind == "file"]
                texts = list(source.read_many(paths))
            found: set[str] = set()
            for path, data in texts:
                try:
                    found |= {file.sha256 for file in read_recipe(parse(path, data).value, path).files}
                except (DamagedArchiveError, UnsafeNameError):  # it gives nothing back
                    continue
            self._hashes[version.name] = frozenset(found)
        return self._hashes[version.name]
