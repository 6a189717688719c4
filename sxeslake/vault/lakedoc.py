"""Reading `lake.json`, also where a byte of it is wrong."""

from __future__ import annotations

from sxeslake.errors import DamagedLakeError, LakeNotFoundError, ObjectNotFoundError
from sxeslake.format import correction, keys
from sxeslake.format.lakefile import LakeFile
from sxeslake.storage import Store
from sxeslake.vault import segments

_UNKNOWN = "0" * 32  # the id of a lake whose own text is lost


def read(store: Store, *, tolerant: bool = False) -> LakeFile:
    """What the lake is; with `tolerant`, whatever can be made out of a damaged `lake.json`."""
    try:
        data = store.get(keys.LAKE)
    except ObjectNotFoundError as error:
        if tolerant and store.size(keys.log_key(1)) is not None:
            return _made_out(store, b"")
        raise LakeNotFoundError(
            "there is no lake here.", where=store.url, hint="Make one with `sxeslake init`, or check the address."
        ) from error
    try:
        return LakeFile.load(data, where=store.url)
    except DamagedLakeError as error:
        if tolerant:
            return _made_out(store, data)
        raise DamagedLakeError(error.what, where=error.where, hint="Run `sxeslake repair`.") from error


def restored(store: Store, data: bytes) -> bytes | None:
    """The bytes that `lake.json` had: by correcting one byte, else from a checkpoint."""
    kept = segments.newest(store)
    if kept is not None and kept.lake:
        return kept.lake.encode()
    return correction.corrected_sealed(data, None)


def _made_out(store: Store, data: bytes) -> LakeFile:
    found = restored(store, data)
    if found is not None:
        return LakeFile.load(found, where=store.url)
    return LakeFile(_UNKNOWN, "")
