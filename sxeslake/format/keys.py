"""Every object key of a lake: `log/00000000000000000012.json`, `packs/ab/ab12….pack`."""

from __future__ import annotations

import re
import secrets

from sxeslake.errors import DamagedLakeError

LAKE = "lake.json"
README = "README.txt"
SALVAGE = "salvage.pyz"
LOG_PREFIX = "log/"
BODY_PREFIX = "log/body/"
MANIFEST_PREFIX = "manifests/"
PACK_PREFIX = "packs/"
CHECKPOINT_PREFIX = "checkpoints/"

_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_OBJECT = re.compile(r"(?:packs|manifests)/[0-9a-f]{2}/([0-9a-f]{32})\.(?:pack|parquet)")


def new_id() -> str:
    """A nonce of 128 random bits, never a content hash: what is condemned must never come back by chance."""
    return secrets.token_hex(16)


def check_id(value: object) -> str:
    """`value`, if it is an id; ids come from objects that anybody with write access could have made."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise DamagedLakeError(f"{value!r} is not an object id (32 hexadecimal digits).")
    return value


def check_digest(value: object) -> str:
    """`value`, if it is a BLAKE3-256 digest in hexadecimal."""
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise DamagedLakeError(f"{value!r} is not a BLAKE3 digest (64 hexadecimal digits).")
    return value


def log_key(number: int) -> str:
    """12 → `log/00000000000000000012.json`."""
    return f"{LOG_PREFIX}{number:020d}.json"


def body_key(digest: str) -> str:
    """`log/body/ab/<blake3>.json`: the longer part of a log entry."""
    return f"{BODY_PREFIX}{digest[:2]}/{check_digest(digest)}.json"


def manifest_key(manifest_id: str) -> str:
    """`ab12…` → `manifests/ab/ab12….parquet`."""
    return f"{MANIFEST_PREFIX}{manifest_id[:2]}/{check_id(manifest_id)}.parquet"


def pack_key(pack_id: str) -> str:
    """`ab12…` → `packs/ab/ab12….pack`."""
    return f"{PACK_PREFIX}{pack_id[:2]}/{check_id(pack_id)}.pack"


def checkpoint_prefix(number: int) -> str:
    """12 → `checkpoints/00000000000000000012/`."""
    return f"{CHECKPOINT_PREFIX}{number:020d}/"


def id_of(key: str) -> str | None:
    """`packs/ab/ab12….pack` → `ab12…`; None for anything else."""
    match = _OBJECT.fullmatch(key)
    return match.group(1) if match else None
