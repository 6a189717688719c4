"""Reading `lake.json`, also where a byte of it is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

from sxeslake.errors import DamagedLakeError, LakeNotFoundError, ObjectNotFoundError
from sxeslake.format import correction, keys
from sxeslake.format.lakefile import LakeParameters
from sxeslake.storage import Store
from sxeslake.vault.log import segments

_UNKNOWN = "0" * 32  # the id of a lake whose own text is lost


def read(store: Store, damaged: Callable[[str], None]) -> LakeParameters:
    """What the lake is. A damaged `lake.json` is told to `damaged`; what can be made out of it suffices to read."""
    try:
        data = store.get(keys.LAKE)
    except ObjectNotFoundError as error:
        if next(iter(store.list(f"{keys.LOG_PREFIX}0")), None) is not None:
            damaged("lake.json is missing.")
            return _made_out(store, b"")
        raise LakeNotFoundError(
            "there is no lake here.", where=store.url, hint="Make one with `sxeslake init`, or check the address."
        ) from error
    try:
        return LakeParameters.load(data, where=store.url)
    except DamagedLakeError as error:
        damaged(error.what)
        return _made_out(store, data)


def restored(store: Store, data: bytes) -> bytes | None:
    """The bytes that `lake.json` had: by correcting one byte, else from a checkpoint."""
    kept = segments.newest(store)
    if kept is not None and kept.lake:
        return kept.lake.encode()
    return correction.corrected_sealed(data, None)


def _made_out(store: Store, data: bytes) -> LakeParameters:
    found = restored(store, data)
    if found is not None:
        return LakeParameters.load(found, where=store.url)
    return LakeParameters(_UNKNOWN, "")


def remade(data: bytes) -> bytes:
    """A `lake.json` in place of a lost one, with what can be made out of its bytes; readers need no more than that."""
    made = LakeParameters(uuid4().hex, "")
    try:
        raw = json.loads(data)
        found = LakeParameters(str(raw["lake"]), str(raw["created"]), chunk_bytes=int(raw["chunks"]["bytes"]))
        return LakeParameters.load(found.dump(), where=keys.LAKE).dump()
    except (DamagedLakeError, ValueError, KeyError, TypeError, RecursionError):
        return made.dump()
