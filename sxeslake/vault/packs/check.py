"""Whether packs and manifests that a commit builds on are there: each is asked for once a run, by its size in the log.

Nothing heavy is loaded: a file that the lake holds already is recognised before numpy is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import keys
from sxeslake.format.logentry import PackAdded
from sxeslake.storage import Store
from sxeslake.vault.log.state import LogState, Version

if TYPE_CHECKING:
    from sxeslake.format.manifest import Blob
    from sxeslake.model import Digest
    from sxeslake.vault.vault import Vault

_AT_ONCE = 16

Read = Callable[[PackAdded], str | None]
"""Reads a pack; says what is wrong with it."""


class PackPresence:
    """What a run knows of packs and manifests that were there before it."""

    def __init__(self, store: Store, state: LogState, read: Read | None = None) -> None:
        """With `read`, packs are not only asked for, but read and hashed."""
        self._store, self._state, self._read = store, state, read
        self._packs: dict[str, str | None] = {}
        self._footers: dict[str, str | None] = {}
        self._manifests: dict[str, str | None] = {}

    def faulty(self, packs: Iterable[str]) -> dict[str, str]:
        """Those of some packs that are not there as the log says, each with the reason."""
        return _faulty(packs, self._packs, self._look)

    def unusable(self, packs: Iterable[str]) -> dict[str, str]:
        """Those of some packs that nothing new is to be built on: as `faulty`, and their footers are whole as well."""
        return _faulty(packs, self._footers, self._look if self._read is not None else self._look_at_footer)

    @property
    def found(self) -> set[str]:
        """The packs that were looked at and have no fault."""
        return {pack for known in (self._packs, self._footers) for pack, why in known.items() if why is None}

    @property
    def faults(self) -> list[str]:
        """What was found wrong, in words."""
        packs = self._packs | {pack: why for pack, why in self._footers.items() if why is not None}
        return [why for known in (packs, self._manifests) for _, why in sorted(known.items()) if why is not None]

    def fault_of(self, version: Version) -> str | None:
        """Why a version cannot be read whole from where the log says that it stands."""
        manifest = version.archive.manifest
        if manifest not in self._manifests:
            self._manifests[manifest] = manifest_fault(self._store, self._state, manifest)
        if (why := self._manifests[manifest]) is not None:
            return why
        packs = self._state.resolved(version.archive.needs)
        # A footer that was read and is damaged counts as well; no footer is read only for this.
        known = (self._footers.get(pack) for pack in sorted(packs))
        return next(filter(None, [*known, *self.faulty(packs).values()]), None)

    def _look(self, pack_id: str) -> str | None:
        try:
            known = self._state.pack(pack_id)
        except DamagedLakeError as error:
            return error.what.rstrip(".")
        size = self._store.size(keys.pack_key(pack_id))
        if size != known.bytes:
            return wrong_size("pack", pack_id, size, known.bytes)
        return None if self._read is None else self._read(known)

    def _look_at_footer(self, pack_id: str) -> str | None:
        from sxeslake.format import pack  # noqa: PLC0415 - loads numpy, which most ingests of known files lack

        key = keys.pack_key(pack_id)
        try:
            known = self._state.pack(pack_id)
            tail, size = self._store.get_tail(key, known.footer_bytes)  # one request tells the size as well
            if size != known.bytes:
                return wrong_size("pack", pack_id, size, known.bytes)
            if pack.footer_start(tail, size, where=key) != size - len(tail):
                return f"the footer of the pack {pack_id} is not where the log says"
            pack.load_footer(pack_id, tail, where=key)
        except ObjectNotFoundError:
            return wrong_size("pack", pack_id, None, 0)
        except DamagedLakeError as error:
            return f"the pack {pack_id} is damaged: {error.what.rstrip('.')}"
        return None


def usable_places(
    vault: Vault, check: PackPresence, found: dict[Digest, Blob], trusted: AbstractSet[str]
) -> dict[Digest, Blob]:
    """Of places where blobs stand, those that new versions can be built on; for the others a copy, where one is whole.

    Packs that are `trusted` are not asked for.
    """
    unusable = check.unusable({_pack(blob) for blob in found.values()} - trusted)
    if not unusable:
        return found
    good = {digest: blob for digest, blob in found.items() if _pack(blob) not in unusable}
    lost = [digest for digest in found if digest not in good]
    places = vault.index.find_all(lost, live=vault.state.live_packs)
    unusable |= check.unusable({_pack(blob) for blobs in places.values() for blob in blobs})
    for digest, blobs in places.items():
        whole = [blob for blob in blobs if _pack(blob) not in unusable]
        if whole:
            good[digest] = whole[0]
    return good


def _pack(blob: Blob) -> str:
    return "" if blob.hint is None else blob.hint.pack


def _faulty(packs: Iterable[str], known: dict[str, str | None], look: Callable[[str], str | None]) -> dict[str, str]:
    asked = list(packs)
    fresh = sorted({pack for pack in asked if pack not in known})
    if len(fresh) == 1:
        known[fresh[0]] = look(fresh[0])
    elif fresh:
        with ThreadPoolExecutor(_AT_ONCE) as askers:
            known.update(zip(fresh, askers.map(look, fresh), strict=True))
    return {pack: why for pack in asked if (why := known[pack]) is not None}


def manifest_fault(store: Store, state: LogState, manifest_id: str) -> str | None:
    """Why a manifest is not there as the log says."""
    try:
        known = state.manifest(manifest_id)
    except DamagedLakeError as error:
        return error.what.rstrip(".")
    size = store.size(keys.manifest_key(manifest_id))
    return None if size == known.bytes else wrong_size("manifest", manifest_id, size, known.bytes)


def wrong_size(kind: str, name: str, size: int | None, wanted: int) -> str:
    """The message about an object that is missing, or not as long as the log says."""
    return f"the {kind} {name} {'is missing' if size is None else f'has {size:,} bytes instead of {wanted:,}'}"
