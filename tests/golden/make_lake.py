"""Makes the golden lake `lake-1` and the listing of what it must give back, `lake-1.json`: once per format number.

    python tests/golden/make_lake.py FOLDER

The lake in the repository was made once and is never rebuilt: that old bytes stay readable is what it tests.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from unittest import mock

import numpy as np
from blake3 import blake3

from sxeslake import lake as lakes
from sxeslake.archive.container import create_writer
from sxeslake.archive.synthetic import MapPlan, map_members, write_archive
from sxeslake.format import keys, logentry, pack
from sxeslake.format.logentry import Entry, ManifestAdded, Moved, PackAdded
from sxeslake.format.manifest import ManifestBuilder, footer_bytes
from sxeslake.lake import Lake
from sxeslake.model import MIB, Member
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault
from sxeslake.views import SampleRow

SEED = 1907
START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
TIME_NS = 1_583_000_000_123_456_700


def make(folder: Path) -> None:
    """The lake in `folder/lake-1`, the listing beside it."""
    random, ticks = Random(SEED), iter(range(10**6))
    source = Path(tempfile.gettempdir()) / "golden"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    os.environ["SXESLAKE_CACHE"] = str(source / "cache")
    clock = lambda: (START + timedelta(minutes=next(ticks))).isoformat().replace("+00:00", "Z")  # noqa: E731
    with (
        mock.patch.object(secrets, "token_hex", lambda count: random.randbytes(count).hex()),
        mock.patch("sxeslake.vault.log.commit.utc_now", clock),
        mock.patch("sxeslake.vault.vault.utc_now", clock),
        mock.patch("sxeslake.vault.log.commit.who", return_value="curie"),
        mock.patch("socket.gethostname", return_value="probe-2"),
        lakes.init(str(folder / "lake-1")) as lake,
    ):
        fill(lake, source)
        listing = {f"{row.sample}@{row.version}": members_of(lake, row) for row in lake.ls(all_versions=True)}
    for text in ("README.txt", "salvage.pyz"):
        (folder / "lake-1" / text).unlink(missing_ok=True)
    (folder / "lake-1.json").write_text(json.dumps(listing, indent=1, ensure_ascii=False) + "\n")
    shutil.rmtree(source)


def fill(lake: Lake, source: Path) -> None:
    """Two versions of a measurement, a stranger of the same name, a generic archive; then all that a log can hold."""
    plan = MapPlan(SEED, 1, 1, project="golden", sample="CuFeS2", comment="grain boundary", operator="M. Curie")
    first = write_archive(source / "grains.plzip", map_members(plan))
    second = write_archive(source / "b" / "grains.pl7z", map_members(replace(plan, comment="polished again")))
    for path in (first, second):
        os.utime(path, ns=(TIME_NS, TIME_NS))
    lake.ingest(first, message="first measurement")
    lake.ingest(second)
    lake.ingest([odd_zip(source / "odd things.zip"), small_group(source / "c" / "grains")], encoding="cp932")
    vault = lake._vault  # what follows is below the verbs
    repack(vault)
    move(vault, lake._version("grains@1"))
    forgotten = replace(
        blank_entry("golden"),
        tags=({"sample": "grains", "version": 1, "tag": "paper-2026", "action": "add"},),
        forgotten=(("grains", 2), ("grains-2", 1)),
    )
    commit(vault, forgotten)
    with mock.patch.object(logentry, "MAX_ENTRY_BYTES", 520):  # a body, without a thousand archives
        orphans = tuple(keys.new_id() for _ in range(12))
        commit(vault, replace(blank_entry("golden"), restored=(("grains-2", 1),), condemned_packs=orphans))


def repack(vault: Vault) -> None:
    """Put the frames of the largest JSON pack into a new one, in reverse: hints to it are stale from here on."""
    old = max((record for record in vault.state.packs().values() if record.kind == "json"), key=lambda r: r.blobs)
    footer, data = vault.footer(old), vault.store.get(keys.pack_key(old.id))
    starts = np.cumsum(footer.frame_blobs) - footer.frame_blobs
    frames, digests, counts, sizes = [], [], [], []
    for number in reversed(range(len(starts))):
        first, count = int(starts[number]), int(footer.frame_blobs[number])
        at = int(footer.frame_offsets[number])
        frames.append(data[at : at + int(footer.frame_lengths[number])])
        digests += [footer.digests[blob].tobytes() for blob in range(first, first + count)]
        sizes += footer.sizes[first : first + count].tolist()
        counts.append(count)
    new = keys.new_id()
    tail = pack.footer(new, digests, [len(frame) for frame in frames], counts, sizes)
    body = b"".join((pack.header(new), *frames, tail))
    vault.store.create(keys.pack_key(new), body)
    added = PackAdded(new, "json", len(body), len(tail), len(digests), sum(sizes))
    commit(
        vault,
        replace(blank_entry("golden"), packs=(added,), condemned_packs=(old.id,), replaced={old.id: (new,)}),
    )
    vault.store.delete([keys.pack_key(old.id)])


def move(vault: Vault, version: Version) -> None:
    """Write the member table of a version anew; the old manifest goes."""
    manifest, builder, old = vault.manifests.open(version.archive.manifest), ManifestBuilder(), version.archive
    for place in manifest.packs:
        builder.pack_index(place)
    rows = builder.add([vault.manifests.table(version)])
    data = builder.finish()
    footer, new = footer_bytes(data), keys.new_id()
    vault.store.create(keys.manifest_key(new), data)
    added = ManifestAdded(new, len(data), footer, blake3(data).hexdigest(), blake3(data[-footer:]).hexdigest())
    needs = tuple(sorted(pack for pack in manifest.packs if vault.state.live_packs([pack])))
    moved = Moved(old.sample, old.version, new, rows.first_group, rows.groups, rows.rows, needs)
    entry = replace(blank_entry("golden"), manifests=(added,), condemned_manifests=(old.manifest,), moved=(moved,))
    commit(vault, entry)
    vault.store.delete([keys.manifest_key(old.manifest)])


def commit(vault: Vault, entry: Entry) -> None:
    """An entry at the head."""
    vault.commit(lambda head: replace(entry, number=head.number + 1, previous=head.digest))


def odd_zip(path: Path) -> Path:
    """Folders, empty files, Unicode, names that are not UTF-8, a member of two chunks."""
    ramp = (np.arange(5 * MIB // 4 + 7, dtype="<u4") // 4096).tobytes()
    files: Iterable[tuple[str, bytes, bytes | None]] = (
        ("readme.txt", b"A generic archive.\n", None),
        ("empty", b"", None),
        ("Größe/日本.txt", "Größe\n".encode(), None),
        ("温度.txt", "25 °C\n".encode(), "温度.txt".encode("cp932")),
        ("images/ramp.tif", ramp, None),
        ("images/copy of ramp.tif", ramp, None),
    )
    with path.open("wb") as out:
        writer = create_writer(out, "zip", comment=b"made for good")
        writer.add(Member("images", "directory", modified_ns=TIME_NS, attributes=0x41ED_8010), [])
        writer.add(Member("nothing inside", "directory", dos_time=0x505D_6000), [])
        for number, (name, data, raw) in enumerate(files):
            times = {"modified_ns": TIME_NS + number * 10**9} if number % 2 else {"dos_time": 0x505D_6000 + number}
            writer.add(Member(name, "file", len(data), attributes=0x81A4_8020, raw_name=raw, **times), [data])
        writer.close()
    os.utime(path, ns=(TIME_NS, TIME_NS))
    return path


def small_group(folder: Path) -> Path:
    """An unpacked group that shares a name with the others, and nothing else; one of its JSON files is broken."""
    counts = np.random.default_rng(SEED).poisson(900, (3, 65)).astype("<u4")
    contents = {
        "metadata.json": b'{"projects": [], "analyses": [{"uuid": "5d2b7c1e-0000-4000-8000-000000000001"}]}',
        "data/5d2b7c1e-0000-4000-8000-000000000002/info.json": b'{"uuid": ',
        "data/5d2b7c1e-0000-4000-8000-000000000002/xes.data": counts.tobytes(),
    }
    for name, data in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for path in (*folder.rglob("*"), folder):
        os.utime(path, ns=(TIME_NS, TIME_NS))
    return folder


def members_of(lake: Lake, row: SampleRow) -> list[dict[str, object]]:
    """What a pull must give back, member by member."""
    version = lake._version(f"{row.sample}@{row.version}")
    return [
        {
            "path": found.member.path,
            "kind": found.member.kind,
            "size": found.member.size,
            "modified_ns": found.member.modified_ns,
            "dos_time": found.member.dos_time,
            "attributes": found.member.attributes,
            "raw_name": None if found.member.raw_name is None else found.member.raw_name.hex(),
            "crc32": found.member.crc32,
            "blake3": None if found.member.kind == "directory" else blake3(_bytes(lake, row, found.member)).hexdigest(),
        }
        for found in lake._vault.rows(version)
    ]


def _bytes(lake: Lake, row: SampleRow, member: Member) -> bytes:
    return lake.read(f"{row.sample}@{row.version}", member.path)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
