"""What a lake of some size is and costs, on paper: formulas alone, checked by `scaling.py` against lakes that it makes.

Every constant is a size that the format gives, or was measured; what it was measured on stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

# --- what the format gives ------------------------------------------------------------------------------------------
PACK_BYTES = 32 * MIB  # `vault.packs.packing.TARGET_BYTES`
SEGMENT_BYTES = 64 * MIB  # raw log in a segment of a checkpoint, `format.checkpoint`
SEGMENT_ENTRIES = 10_000
INDEX_BYTES = 52  # of the local blob index, a blob
FOOTER_BYTES = 33  # of a pack's footer, a blob: 32 of the hash, the rest packed
LIST_KEYS = 1000  # that S3 gives with one request

# --- measured: bytes ------------------------------------------------------------------------------------------------
LOG_BYTES = 770  # of the log, an archive, without its recipe: 10,000 archives of metadata
LOG_RATIO = 0.21  # of it in a checkpoint: the same
RECIPE_BYTES = 1_950  # of the log, an archive, in base64: archives of four positions that ISA-L packed
RECIPE_RATIO = 0.75  # of those in a checkpoint: base64 of what is compressed
MANIFEST_BYTES = 2_240  # of a manifest, an archive that is one row group; 18 columns have a header and a footer each
MANIFEST_ROW_BYTES = 50  # … and a member
DOCUMENT_BYTES = 45  # of a JSON pack, a document, without its footer
POSITION_BYTES = 53_900  # of packs, a position with spectra: a map of 2,500 positions took 134.7 MB (`RESULTS.md`)
STATE_BYTES = 1_630  # of the folded log on a client, an archive, beside the log's own bytes, its recipe twice
CATALOGUE_BASE_BYTES = 110_000  # of the catalogue's tables, however little they hold
CATALOGUE_BYTES = 154  # … an archive: 10,000 of one position, 768 of ten
CATALOGUE_MEMBER_BYTES = 118  # … a member, in the tables of members, blobs and documents: a map of 2,500 positions
CATALOGUE_POSITION_BYTES = 61  # … and a position: 100,000 of them in `support/catalog_facility.py`

# --- measured: processor seconds here, on one core (`SCALING.md` names the machine) -----------------------------------
FOLD_S = 1.4e-4  # an archive that a new client folds from the log
SYNC_S = 1.3e-3  # an archive that the catalogue takes in,
SYNC_MEMBER_S = 8e-6  # and a member
SYNC_REQUESTS = 5  # a commit, beside 9: 5,011, 324, 209 and 29 requests for 1,000, 63, 40 and 4 commits
GC_S = 2.7e-4  # an archive, and
GC_BLOB_S = 4.0e-6  # a blob, of the plan of a collection

# --- measured: memory ------------------------------------------------------------------------------------------------
OPEN_BYTES = 90 * MIB  # of a new client that folds a log, however long
LS_BASE_BYTES = 32 * MIB
LS_BYTES = 1_100  # of `ls`, a sample
GC_BASE_BYTES = 210 * MIB
GC_SHARD_BYTES = 256 * MIB  # `maintenance.gc.holdings.MEMORY_BYTES`: of blobs, at most
GC_SHARD_BLOB_BYTES = 160
GC_PACK_BYTES, GC_MANIFEST_BYTES, GC_VERSION_BYTES = 900, 900, 28

# --- assumed ---------------------------------------------------------------------------------------------------------
REQUEST_S = 0.03  # a request over a far network
READERS = 16  # of them at once
DOLLARS_GB_MONTH = 0.023
DOLLARS_PUT, DOLLARS_GET = 5e-6, 4e-7
DOLLARS_GB_OUT = 0.09
PRICES = "AWS S3 Standard, us-east-1, list prices as they were known in 2025; look them up before you budget"


@dataclass(frozen=True, slots=True)
class Facility:
    """How much there is, and how it came in.

    `recipe_bytes` are what a recipe adds to the log; `document_bytes` and `position_bytes` what a document and the
    arrays of a position take in packs; `shared` are members that every archive has in common with others.
    """

    name: str
    archives: int
    positions_each: int
    per_commit: int
    shared: int = 3
    documents_each: int = 2  # of a position
    arrays_each: int = 3
    recipe_bytes: int = RECIPE_BYTES
    position_bytes: float = POSITION_BYTES
    is_collected: bool = True  # small packs have been joined by `gc`

    @property
    def positions(self) -> int:
        """In all archives."""
        return self.archives * self.positions_each

    @property
    def commits(self) -> int:
        """Entries of the log."""
        return ceil(self.archives / self.per_commit)

    @property
    def members(self) -> int:
        """In all archives."""
        return self.archives * (1 + self.shared + self.positions_each * (self.documents_each + self.arrays_each))

    @property
    def blobs(self) -> int:
        """Contents that no other archive has: all but what archives share."""
        return self.members - self.archives * self.shared

    @property
    def documents(self) -> int:
        """JSON contents among them."""
        return self.archives * (1 + self.positions_each * self.documents_each)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model says of a lake."""

    facility: Facility
    log_objects: int
    manifest_objects: int
    pack_objects: int
    log_bytes: float
    manifest_bytes: float
    pack_bytes: float
    checkpoint_log_bytes: float
    catalogue_bytes: float
    position_table_bytes: float
    state_bytes: float
    index_bytes: float
    open_requests: int
    cold_requests: int  # without a checkpoint
    checkpoint_requests: int  # with one
    sync_requests: int  # of the first catalogue, without a checkpoint
    gc_requests: int
    open_s: float
    cold_s: float
    sync_s: float
    gc_s: float
    ls_memory: float
    gc_memory: float
    gc_disk: float
    dollars_month: float
    dollars_ingest: float
    dollars_gc: float

    @property
    def objects(self) -> int:
        """In the bucket, but for checkpoints."""
        return self.log_objects + self.manifest_objects + self.pack_objects

    @property
    def bytes(self) -> float:
        """In the bucket, with one checkpoint."""
        derived = self.checkpoint_log_bytes + self.catalogue_bytes
        return self.log_bytes + self.manifest_bytes + self.pack_bytes + derived


def predict(facility: Facility) -> Prediction:
    """All figures of a lake."""
    archives, commits = facility.archives, facility.commits
    log_bytes = archives * (LOG_BYTES + facility.recipe_bytes)
    manifest_bytes = archives * MANIFEST_BYTES + facility.members * MANIFEST_ROW_BYTES
    json_bytes = facility.documents * (DOCUMENT_BYTES + FOOTER_BYTES)
    arrays = facility.positions * facility.arrays_each
    array_bytes = facility.positions * facility.position_bytes + arrays * FOOTER_BYTES
    packs = sum(_packs(kind, commits, is_joined=facility.is_collected) for kind in (json_bytes, array_bytes))
    log_kept = archives * (LOG_BYTES * LOG_RATIO + facility.recipe_bytes * RECIPE_RATIO)
    segments = max(ceil(log_bytes / SEGMENT_BYTES), ceil(commits / SEGMENT_ENTRIES))
    positions = CATALOGUE_BASE_BYTES + facility.positions * CATALOGUE_POSITION_BYTES
    catalogue = positions + archives * CATALOGUE_BYTES + facility.members * CATALOGUE_MEMBER_BYTES
    lists = ceil(2 * commits / LIST_KEYS) + ceil(packs / LIST_KEYS)
    cold = 4 + commits + 2 * max(1, commits.bit_length()) + ceil(commits / LIST_KEYS)
    gc_requests = commits + packs + lists + cold - commits + segments
    shard = min(GC_SHARD_BYTES, facility.blobs * GC_SHARD_BLOB_BYTES)
    gc_memory = GC_BASE_BYTES + shard + packs * GC_PACK_BYTES + commits * GC_MANIFEST_BYTES
    stored = log_bytes + manifest_bytes + json_bytes + array_bytes + log_kept + catalogue
    puts = 2 * commits + sum(_packs(kind, commits, is_joined=False) for kind in (json_bytes, array_bytes))
    return Prediction(
        facility=facility,
        log_objects=commits,
        manifest_objects=commits,
        pack_objects=packs,
        log_bytes=log_bytes,
        manifest_bytes=manifest_bytes,
        pack_bytes=json_bytes + array_bytes,
        checkpoint_log_bytes=log_kept,
        catalogue_bytes=catalogue,
        position_table_bytes=positions,
        state_bytes=log_bytes + archives * (STATE_BYTES + facility.recipe_bytes),
        index_bytes=facility.blobs * INDEX_BYTES,
        open_requests=3,
        cold_requests=cold,
        checkpoint_requests=cold - commits + segments,
        sync_requests=9 + SYNC_REQUESTS * commits,
        gc_requests=gc_requests,
        open_s=3 * REQUEST_S,
        cold_s=max(commits * REQUEST_S / READERS, archives * FOLD_S),
        sync_s=archives * SYNC_S + facility.members * SYNC_MEMBER_S,
        gc_s=archives * GC_S + facility.blobs * GC_BLOB_S,
        ls_memory=LS_BASE_BYTES + archives * LS_BYTES,
        gc_memory=gc_memory + archives * GC_VERSION_BYTES,
        gc_disk=facility.blobs * INDEX_BYTES,
        dollars_month=stored / 1e9 * DOLLARS_GB_MONTH,
        dollars_ingest=puts * DOLLARS_PUT,
        dollars_gc=gc_requests * DOLLARS_GET,
    )


def _packs(size: float, commits: int, *, is_joined: bool) -> int:
    """Packs of one kind: full ones and a rest where they were joined, at least one a commit where not."""
    full = ceil(size / PACK_BYTES)
    return full if is_joined else max(full, commits)


FACILITIES: Mapping[str, Facility] = {
    facility.name: facility
    for facility in (
        Facility("10⁴ archives, one a commit", 10_000, 10, 1),
        Facility("10⁶ archives, 256 a commit", 1_000_000, 10, 256),
        Facility("10⁶ archives, one a commit", 1_000_000, 10, 1),
        Facility("10⁹ positions in maps of 2,500", 400_000, 2500, 1),
    )
}


def table() -> str:
    """The model's table, in Markdown."""
    found = [predict(facility) for facility in FACILITIES.values()]
    lines = [
        ("positions", *(f"{p.facility.positions:,}" for p in found)),
        ("log entries = manifests", *(f"{p.log_objects:,}" for p in found)),
        ("packs, small ones joined", *(f"{p.pack_objects:,}" for p in found)),
        ("blobs", *(f"{p.facility.blobs:,}" for p in found)),
        ("log", *(size(p.log_bytes) for p in found)),
        ("manifests", *(size(p.manifest_bytes) for p in found)),
        ("packs", *(size(p.pack_bytes) for p in found)),
        ("a checkpoint's log", *(size(p.checkpoint_log_bytes) for p in found)),
        ("catalogue, all tables", *(size(p.catalogue_bytes) for p in found)),
        ("catalogue, table of positions", *(size(p.position_table_bytes) for p in found)),
        ("folded log on a client", *(size(p.state_bytes) for p in found)),
        ("blob index on a client that ingests", *(size(p.index_bytes) for p in found)),
        ("requests: open, warm", *(f"{p.open_requests:,}" for p in found)),
        ("requests: new client, no checkpoint", *(f"{p.cold_requests:,}" for p in found)),
        ("requests: new client, checkpoint", *(f"{p.checkpoint_requests:,}" for p in found)),
        ("requests: first catalogue without a checkpoint", *(f"{p.sync_requests:,}" for p in found)),
        ("requests: `gc`", *(f"{p.gc_requests:,}" for p in found)),
        ("new client, no checkpoint, far bucket", *(span(p.cold_s) for p in found)),
        ("first catalogue without a checkpoint, CPU", *(span(p.sync_s) for p in found)),
        ("`gc` plan, CPU", *(span(p.gc_s) for p in found)),
        ("memory: `ls` of all", *(size(p.ls_memory) for p in found)),
        ("memory: `gc`", *(size(p.gc_memory) for p in found)),
        ("temporary disk: `gc`", *(size(p.gc_disk) for p in found)),
        ("storage a month", *(dollars(p.dollars_month) for p in found)),
        ("requests of all ingests", *(dollars(p.dollars_ingest) for p in found)),
        ("requests of one `gc`", *(dollars(p.dollars_gc) for p in found)),
    ]
    return markdown(("", *FACILITIES), lines)


def markdown(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    rows = [head, ("---",) * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def size(count: float) -> str:
    """`3.3 GB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            return f"{count:.3g} {unit}" if count < 999.5 else f"{count:,.0f} {unit}"
        count /= 1000
    raise AssertionError


def span(seconds: float) -> str:
    """`0.09 s`, `31 min`, `5.6 h`."""
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def dollars(amount: float) -> str:
    """`$1,234`, `$0.40`."""
    return f"${amount:,.0f}" if amount >= 10 else f"${amount:.2f}" if amount >= 0.01 else "< $0.01"
