"""Whether packs and manifests that a commit builds on are there: each is asked for once a run, by its size in the log.

Nothing heavy is loaded: a file that the lake holds already is recognised before numpy is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from sxeslake.errors import DamagedLakeError
from sxeslake.format import keys
from sxeslake.format.logentry import PackAdded
from sxeslake.storage import Store
from sxeslake.vault.state import State, Version

_AT_ONCE = 16

Read = Callable[[PackAdded], str | None]
"""Reads a pack; says what is wrong with it."""


class PackCheck:
    """What a run knows of packs and manifests that were there before it."""

    def __init__(self, store: Store, state: State, read: Read | None = None) -> None:
        """With `read`, packs are not only asked for, but read and hashed."""
        self._store, self._state, self._read = store, state, read
        self._packs: dict[str, str | None] = {}
        self._manifests: dict[str, str | None] = {}

    def faulty(self, packs: Iterable[str]) -> dict[str, str]:
        """Those of some packs that cannot be built on, each with the reason."""
        asked = list(packs)
        fresh = sorted({pack for pack in asked if pack not in self._packs})
        if len(fresh) == 1:
            self._packs[fresh[0]] = self._look(fresh[0])
        elif fresh:
            with ThreadPoolExecutor(_AT_ONCE) as askers:
                self._packs |= dict(zip(fresh, askers.map(self._look, fresh), strict=True))
        return {pack: why for pack in asked if (why := self._packs[pack]) is not None}

    def fault_of(self, version: Version) -> str | None:
        """Why a version cannot be read whole from where the log says that it stands."""
        manifest = version.archive.manifest
        if manifest not in self._manifests:
            self._manifests[manifest] = self._look_at_manifest(manifest)
        if (why := self._manifests[manifest]) is not None:
            return why
        return next(iter(self.faulty(self._state.resolved(version.archive.needs)).values()), None)

    def _look(self, pack_id: str) -> str | None:
        try:
            known = self._state.pack(pack_id)
        except DamagedLakeError as error:
            return error.what.rstrip(".")
        size = self._store.size(keys.pack_key(pack_id))
        if size != known.bytes:
            return _wrong_size("pack", pack_id, size, known.bytes)
        return None if self._read is None else self._read(known)

    def _look_at_manifest(self, manifest_id: str) -> str | None:
        try:
            known = self._state.manifest(manifest_id)
        except DamagedLakeError as error:
            return error.what.rstrip(".")
        size = self._store.size(keys.manifest_key(manifest_id))
        return None if size == known.bytes else _wrong_size("manifest", manifest_id, size, known.bytes)


def _wrong_size(kind: str, name: str, size: int | None, wanted: int) -> str:
    return f"the {kind} {name} {'is missing' if size is None else f'has {size:,} bytes instead of {wanted:,}'}"
