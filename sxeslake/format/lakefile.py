"""`lake.json`: what a lake is, written once when it is made. It begins with its own hash, as log entries do."""

from __future__ import annotations

import json
from dataclasses import dataclass

from blake3 import blake3

from sxeslake.errors import DamagedLakeError, ReadOnlyError
from sxeslake.model import MIB

FORMAT = 1
CHUNK_BYTES = 4 * MIB  # a larger member is several blobs: bounds the memory of every reader and writer
MAX_LAKEFILE_BYTES = 64 * 1024
KNOWN_FEATURES: frozenset[str] = frozenset()


HASH_PREFIX = b'{"blake3":"'
HASHED_FROM = len(HASH_PREFIX) + 64


def sealed(document: bytes) -> bytes:
    """A JSON object with the hash of its own bytes as first field: `{"blake3":"ab…",…}`."""
    rest = b'",' + document[1:]
    return HASH_PREFIX + blake3(rest).hexdigest().encode() + rest


def is_proved(data: bytes) -> bool:
    """Whether such an object agrees with its hash."""
    digest = data[len(HASH_PREFIX) : HASHED_FROM]
    return data.startswith(HASH_PREFIX) and blake3(data[HASHED_FROM:]).hexdigest().encode() == digest


@dataclass(frozen=True, slots=True)
class LakeParameters:
    """The parameters of one lake: its identity, format number and chunk rule."""

    lake_id: str
    created: str
    format: int = FORMAT
    chunk_bytes: int = CHUNK_BYTES
    features: tuple[str, ...] = ()

    def dump(self) -> bytes:
        """The bytes of `lake.json`."""
        return sealed(self._plain())

    def _plain(self) -> bytes:
        return json.dumps(
            {
                "format": self.format,
                "lake": self.lake_id,
                "created": self.created,
                "hash": "blake3-256",
                "chunks": {"rule": "fixed", "bytes": self.chunk_bytes},
                "features": list(self.features),
            },
            indent=2,
        ).encode()

    @classmethod
    def load(cls, data: bytes, *, where: str) -> LakeParameters:
        """Read `lake.json`; what this software cannot understand is refused here."""
        newer = False
        try:
            if len(data) > MAX_LAKEFILE_BYTES:
                raise ValueError("it is too large")
            if data.startswith(HASH_PREFIX) and not is_proved(data):
                raise ValueError("it does not agree with its hash")
            raw = json.loads(data)
            newer = isinstance(raw["format"], int) and raw["format"] > FORMAT
            chunks, features = raw["chunks"], tuple(str(feature) for feature in raw["features"])
            found = cls(str(raw["lake"]), str(raw["created"]), int(raw["format"]), int(chunks["bytes"]), features)
            if chunks["rule"] != "fixed" or raw["hash"] != "blake3-256" or not 4096 <= found.chunk_bytes <= 64 * MIB:
                raise ValueError("its hash or chunk rule is unknown")
            if found.format < 1:
                raise ValueError(f"format {found.format}")
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            if newer:
                raise ReadOnlyError(
                    f"this lake has format {raw['format']}, which this version cannot read.",
                    where=where,
                    hint="Install a newer sxeslake.",
                ) from error
            raise DamagedLakeError(f"lake.json cannot be read: {error}.", where=where) from error
        unknown = set(features) - KNOWN_FEATURES
        if unknown:
            raise ReadOnlyError(
                f"this lake uses features unknown to this version: {', '.join(sorted(unknown))}.",
                where=where,
                hint="Install a newer sxeslake.",
            )
        return found

    def wrote(self, data: bytes) -> bool:
        """Whether these bytes are proved: by their hash, or, without one, by being just what was once written."""
        return is_proved(data) if data.startswith(HASH_PREFIX) else data == self._plain()

    def check_writable(self, where: str) -> None:
        """Refuse to write into a lake of a newer format: reading is tried, writing could break it."""
        if self.format > FORMAT:
            raise ReadOnlyError(
                f"this lake has format {self.format}, this version writes format {FORMAT}.",
                where=where,
                hint="Install a newer sxeslake to write; reading still works where possible.",
            )
