"""The catalogue's manifest, `parts.json`: which immutable parts make up the tables at one commit.

    {"format": 1, "fingerprint": "9f…", "log_number": 12, "entry_hash": "ab…", "hidden": [], "skipped": [],
     "dead_packs": [],
     "parts": [{"table": "positions", "blake3": "cd…", "bytes": 81234, "rows": 14, "home": 12}, …]}

The same text and the same names of parts, `<table>/<blake3>.parquet`, serve the local cache and the bucket. `home` is
the checkpoint under which the bucket holds a part, null for one that is only local.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from sxeslake.catalog.model import CatalogHead
from sxeslake.catalog.schema.tables import BY_NAME, FINGERPRINT
from sxeslake.errors import DamagedLakeError
from sxeslake.format.keys import check_digest, checkpoint_prefix

FORMAT: Final = 1
MANIFEST_NAME: Final = "parts.json"
EMPTY: Final = CatalogHead(0, None)


@dataclass(frozen=True, slots=True)
class TablePart:
    """One immutable Parquet file of one table."""

    table: str
    blake3: str
    bytes: int
    rows: int
    home: int | None = None

    @property
    def name(self) -> str:
        """`positions/ab12….parquet`, in the cache and in the bucket."""
        return f"{self.table}/{self.blake3}.parquet"

    @property
    def key(self) -> str:
        """The object's key in the bucket: `checkpoints/00000000000000000012/catalog/positions/ab12….parquet`."""
        if self.home is None:
            raise KeyError(f"{self.name} is in no checkpoint")
        return part_prefix(self.home) + self.name


def part_prefix(number: int) -> str:
    """12 → `checkpoints/00000000000000000012/catalog/`."""
    return f"{checkpoint_prefix(number)}catalog/"


def manifest_key(number: int) -> str:
    """12 → `checkpoints/00000000000000000012/catalog/parts.json`."""
    return part_prefix(number) + MANIFEST_NAME


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All parts at one commit, and whose rows are hidden: forgotten versions, dead packs.

    `skipped` are versions that were forgotten before anybody read them: no part has rows of them, should they return.
    """

    head: CatalogHead = EMPTY
    parts: tuple[TablePart, ...] = ()
    hidden: frozenset[int] = frozenset()
    skipped: frozenset[int] = frozenset()
    dead_packs: frozenset[str] = frozenset()

    def of(self, tables: Iterable[str]) -> tuple[TablePart, ...]:
        """The parts of some tables."""
        wanted = set(tables)
        return tuple(part for part in self.parts if part.table in wanted)

    def at_home(self, number: int) -> Snapshot:
        """The same, with every part that had no home now at checkpoint `number`."""
        parts = tuple(part if part.home is not None else replace(part, home=number) for part in self.parts)
        return replace(self, parts=parts)

    def dump(self) -> bytes:
        """The text of `parts.json`."""
        values = {
            "format": FORMAT,
            "fingerprint": FINGERPRINT,
            "log_number": self.head.number,
            "entry_hash": self.head.entry_hash,
            "hidden": sorted(self.hidden),
            "skipped": sorted(self.skipped),
            "dead_packs": sorted(self.dead_packs),
            "parts": [asdict(part) for part in self.parts],
        }
        return json.dumps(values, separators=(",", ":")).encode()


def load_snapshot(data: bytes, *, where: str) -> Snapshot | None:
    """Read a `parts.json`; None where it is of another format or its tables have other columns."""
    try:
        values = json.loads(data)
        if values["format"] != FORMAT or values["fingerprint"] != FINGERPRINT:
            return None
        return Snapshot(
            CatalogHead(int(values["log_number"]), values["entry_hash"]),
            tuple(_part(item) for item in values["parts"]),
            frozenset(map(int, values["hidden"])),
            frozenset(map(int, values["skipped"])),
            frozenset(map(str, values["dead_packs"])),
        )
    except (DamagedLakeError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedLakeError(f"the catalogue's list of parts cannot be read: {error}.", where=where) from error


def _part(item: Mapping[str, Any]) -> TablePart:
    """One part; names become paths, so nothing but known tables and digests passes."""
    if item["table"] not in BY_NAME:
        raise ValueError(f"no table {item['table']!r}")
    home = None if item["home"] is None else int(item["home"])
    return TablePart(str(item["table"]), check_digest(item["blake3"]), int(item["bytes"]), int(item["rows"]), home)
