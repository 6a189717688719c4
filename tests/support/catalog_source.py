"""A lake as the catalogue sees it, in memory: archives are mappings from path to bytes."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from blake3 import blake3

from sxeslake.catalog.model import (
    AnnotationEvent,
    CatalogHead,
    Changes,
    Document,
    PackHeader,
    VersionHeader,
    VersionMembers,
)

Files = Mapping[str, bytes]
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CONDITION = "88" * 32
RAW_CONDITION = "db" * 32
BACKGROUND = "ef" * 32


def header(**changed: Any) -> VersionHeader:
    """A header of version 1 of `alpha`, from commit 1."""
    values: dict[str, Any] = {
        "log_number": 1,
        "place": 0,
        "sample": "alpha",
        "version": 1,
        "kind": "sxes",
        "content_id": "c" * 64,
        "manifest_id": "0" * 32,
        "ingested_at": NOW,
        "ingested_by": "ada",
        "tool": "sxeslake 0",
        "bytes_source": 100,
        "bytes_raw": 200,
        "bytes_stored": 50,
        "blobs": 4,
        "blobs_new": 3,
        "source": {
            "name": "alpha.plzip",
            "path": "/data/alpha.plzip",
            "host": "probe",
            "container": "zip",
            "size": 100,
            "modified_ns": 1_500_000_000_000_000_000,
            "sha256": "a" * 64,
        },
    }
    return VersionHeader(**(values | changed))


def member_table(files: Files, folders: Sequence[str] = ()) -> pa.Table:
    """Manifest rows of an archive."""
    rows = sorted([*files.items(), *((folder, None) for folder in folders)], key=lambda row: row[0].encode())
    return pa.table(
        {
            "path": pa.array([path for path, _ in rows], pa.string()),
            "ordinal": pa.array(range(len(rows)), pa.uint32()),
            "directory": pa.array([data is None for _, data in rows]),
            "size": pa.array([len(data or b"") for _, data in rows], pa.uint64()),
            "modified_ns": pa.array([1_500_000_000_000_000_000] * len(rows), pa.int64()),
            "attributes": pa.array([None] * len(rows), pa.uint32()),
            "crc32": pa.array([0] * len(rows), pa.uint32()),
            "blake3": pa.array([bytes(32) if d is None else blake3(d).digest() for _, d in rows], pa.binary(32)),
        }
    )


def documents_of(files: Files) -> list[Document]:
    """The JSON members."""
    return [(path, data) for path, data in files.items() if path.endswith(".json")]


def zip_files(path: Path) -> dict[str, bytes]:
    """The files of a zip."""
    with zipfile.ZipFile(path) as archive:
        return {item.filename: archive.read(item) for item in archive.infolist() if not item.is_dir()}


def state(x: float | str = 1.0, y: float = 2.0, *, second: int = 0, kv: object = "5.0", **current: object) -> Any:
    """A `state.json` as the instrument writes it."""
    return {
        "saveDate": f"2018/04/12 14:{second // 60 % 60:02d}:{second % 60:02d}",
        "stage": {"x": x, "y": y, "z": 10.9, "tilt": [1, 0], "rotation": [1, 0]},
        "probe": {
            "acceleratingVoltage": kv,
            "beam": {"x": "320", "y": "240", "magnification": "20000", "rotation": "0"},
            "current": current or {"target": "1.01e-007", "pre": "1.009e-007", "average": "1.009e-007"},
        },
        "ccd": {"temperature": {"target": "-70", "pre": "-70", "post": "-70"}},
    }


def group(states: Mapping[str, Any], *, seed: str = "", uuid_prefix: str = "", **analysis: object) -> dict[str, bytes]:
    """An sxes archive of one analysis; `states` is uuid → state.json, or the bytes to put in its place."""
    ids = [uuid_prefix + name for name in states]
    listed = {
        "uuid": uuid_prefix + "analysis",
        "name": "steel",
        "acquisitionDate": "2018/04/12 14:00:00",
        "instrument": "JXA-8530F",
        "positionUuids": ids,
    }
    metadata = {
        "version": "0.1.0",
        "projects": [{"uuid": "project", "name": "Nitrogen", "operator": "grace", "analysisUuids": [listed["uuid"]]}],
        "analyses": [listed | analysis],
    }
    ccd = {
        "name": "C11789-01",
        "model": "JXA-8530F",
        "spectrometer": "XES300N",
        "grating": "JS300N",
        "accumulation": 10,
        "gain": 0,
        "bins": {"x": 17, "y": 2048},
    }
    files = {
        "metadata.json": json.dumps(metadata).encode(),
        f"conditions/{CONDITION}.json": json.dumps({"calibrationCoefficients": ["1e-3", "x"], "ccd": ccd}).encode(),
        f"rawConditions/{RAW_CONDITION}.json": b'{"dataCondition":{},"mapCondition":{},"mapRawCondition":{}}',
        f"backgrounds/{BACKGROUND}": b"background",
    }
    for number, (name, value) in enumerate(states.items(), 1):
        info = {
            "uuid": uuid_prefix + name,
            "comment": f"steel : Pos. : {number}",
            "operator": "",
            "conditionUuid": CONDITION,
            "rawCondtionUuid": RAW_CONDITION,
            "backgroundUuid": BACKGROUND,
        }
        folder = f"data/{uuid_prefix}{name}/"
        files[folder + "info.json"] = json.dumps(info).encode()
        files[folder + "state.json"] = value if isinstance(value, bytes) else json.dumps(value).encode()
        files[folder + "xes.data"] = f"xes {seed}{name}".encode()
        files[folder + "qlw.data"] = f"qlw {seed}{name}".encode()
    return files


class MemorySource:
    """A `CatalogSource` over archives that tests commit."""

    def __init__(self) -> None:
        self.number = 0
        self.headers: list[VersionHeader] = []
        self.hidden: set[int] = set()
        self.dead_packs: set[str] = set()
        self.packs: list[PackHeader] = []
        self.annotations: list[AnnotationEvent] = []
        self.reads = 0
        self._files: dict[int, Files] = {}

    def commit(self, archives: Mapping[str, Files] | None = None, **changed: Any) -> list[VersionHeader]:
        """One commit that adds archives by sample name."""
        self.number += 1
        added = []
        for place, (sample, files) in enumerate((archives or {}).items()):
            version = 1 + sum(each.sample == sample for each in self.headers)
            kind = "sxes" if "metadata.json" in files else "generic"
            made = header(
                log_number=self.number, place=place, sample=sample, version=version, kind=kind, **changed
            )  # fmt: skip
            self._files[made.archive_id] = files
            self.headers.append(made)
            added.append(made)
        return added

    def annotate(self, sample: str, key: str, value: str | None) -> None:
        """One commit that says something of a sample."""
        self.number += 1
        when = NOW + timedelta(minutes=self.number)
        self.annotations.append(
            AnnotationEvent(self.number, 0, sample, None, None, "sample", None, key, value, "ada", when)
        )

    def add_pack(self, pack_id: str) -> None:
        """One commit that adds a pack of two blobs."""
        self.number += 1
        self.packs.append(PackHeader(self.number, pack_id, "json", 100, 300, 2, NOW))

    def head(self) -> CatalogHead:
        """The newest commit."""
        return CatalogHead(self.number, self.entry_hash(self.number))

    def entry_hash(self, number: int) -> str | None:
        """A hash that stands for the entry."""
        return blake3(f"entry {number}".encode()).hexdigest() if 0 < number <= self.number else None

    def changes_since(self, number: int) -> Changes:
        """What was committed since."""
        return Changes(
            self.head(),
            [each for each in self.headers if each.log_number > number],
            [each for each in self.packs if each.log_number > number],
            [each for each in self.annotations if each.log_number > number],
            frozenset(self.hidden),
            frozenset(self.dead_packs),
        )

    def members(self, headers: Sequence[VersionHeader]) -> list[pa.Table]:
        """Manifest rows."""
        self.reads += len(headers)
        return [member_table(self._files[header.archive_id]) for header in headers]

    def documents(self, versions: Sequence[VersionMembers]) -> Iterator[Iterable[Document]]:
        """JSON members."""
        return (documents_of(self._files[version.header.archive_id]) for version in versions)

    def blobs(self, pack: PackHeader) -> pa.Table:
        """Two blobs."""
        digests = [blake3(f"{pack.pack_id} {n}".encode()).digest() for n in range(2)]
        return pa.table(
            {
                "blake3": pa.array(digests, pa.binary(32)),
                "bytes_raw": pa.array([150, 150], pa.int64()),
                "bytes_stored": pa.array([50, 50], pa.int64()),
                "codec": pa.array(["zstd", "zstd"]),
            }
        )
