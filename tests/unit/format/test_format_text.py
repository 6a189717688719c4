"""FORMAT.md: its examples are the truth, byte for byte, by the text's own rules and by our code."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from importlib import resources

import pytest
import zstandard
from blake3 import blake3

from sxeslake import codecs
from sxeslake.archive.sxes.documents import listing
from sxeslake.archive.sxes.documents.listing import ListPlace, PositionListing
from sxeslake.codecs.zstd import Zstd
from sxeslake.format import frame, identity, keys, logentry, manifest, pack, rowgroups
from sxeslake.format.lakefile import FORMAT
from sxeslake.format.rowgroups import Runs
from sxeslake.model import Member
from sxeslake.vault.packs import kinds

TEXT = resources.files("sxeslake").joinpath("FORMAT.md").read_text(encoding="utf-8")
PACK_ID = "00112233445566778899aabbccddeeff"
MEMBERS = [
    Member("data", "directory"),
    Member("data/a.json", "file", 2, 1_583_000_000_000_000_000, 0x20, None, 0x505A_6000),
]


def example(kind: str, name: str) -> str:
    """What stands between ```kind name and ```."""
    found = re.findall(rf"^```{kind} {name}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"FORMAT.md has {len(found)} examples called {name}"
    return str(found[0])


def octets(name: str) -> bytes:
    """The bytes of an example in hexadecimal; what follows a # is words."""
    return bytes.fromhex("".join(line.partition("#")[0] for line in example("hex", name).splitlines()))


def test_the_title_says_which_format_it_is() -> None:
    assert TEXT.startswith(f"# The lake format, number {FORMAT}\n")


def test_the_payload_is_that_of_the_pipeline() -> None:
    pipeline, raw, payload = "head=4|delta=2x2|raw", octets("raw"), octets("payload")
    assert struct.unpack("<8H", raw) == (1000, 2000, 1001, 2003, 1003, 2001, 1002, 2002)
    assert struct.unpack("<4H4h", payload) == (1000, 2000, 1001, 2003, 2, -2, -1, 1)
    assert codecs.decode(pipeline, payload, len(raw)) == raw
    assert codecs.encode(codecs.Pipeline.parse(pipeline), raw) == payload


def test_the_names_of_runs_are_written_so() -> None:
    runs = Runs((3,), 7, (0, 2), Zstd(3).encode(octets("names")))
    assert [runs.groups_of([name]) for name in ("b6b1", "5e0c", "ffa2", "other")] == [{7}, {7}, {8}, set()]
    groups, made = rowgroups.arranged(*two_runs())
    assert (len(groups), made) == (2, replace(runs, group=0, packed=Zstd(19).encode(octets("names"))))


def two_runs() -> tuple[list[str], PositionListing]:
    """So many members that two positions of three fill a row group."""
    paths = sorted(f"data/{name}/{number:04}" for name in ("b6b1", "5e0c", "ffa2") for number in range(1024))
    places = {name: ListPlace(0, number) for number, name in enumerate(("b6b1", "5e0c", "ffa2"))}
    return paths, PositionListing({"analyses": [{}]}, places)


def test_the_pack_is_read() -> None:
    data = octets("pack")
    start = pack.footer_start(data, len(data), where="FORMAT.md")
    footer = pack.load_footer(PACK_ID, data[start:], where="FORMAT.md")
    blobs = []
    for offset, length in zip(footer.frame_offsets.tolist(), footer.frame_lengths.tolist(), strict=True):
        found = frame.unseal(data[offset : offset + length], where="FORMAT.md")
        raw = codecs.decode(found.pipeline, found.payload, found.raw_bytes)
        for size in found.sizes:
            blobs.append(raw[:size])
            raw = raw[size:]
    assert blobs == [b"{}", b"spectra", octets("raw")]
    assert [blake3(blob).digest() for blob in blobs] == [digest.tobytes() for digest in footer.digests]
    assert list(pack.scan(data)) == list(zip(footer.frame_offsets.tolist(), footer.frame_lengths.tolist(), strict=True))


def test_the_pack_is_what_the_words_say() -> None:
    data = octets("pack")
    assert data[:24] == b"SXPACK1\n" + bytes.fromhex(PACK_ID)
    frames, blobs, table, start = struct.unpack("<IIIQ", data[-60:-40])
    assert (frames, blobs, start + 32 * blobs + table + 60) == (2, 3, len(data))
    assert struct.unpack("<7I", zstandard.decompress(data[-60 - table : -60])) == (59, 66, 2, 1, 2, 7, 16)
    assert blake3(data[:24] + data[start:-40]).digest() == data[-40:-8]
    head, payload = struct.unpack("<II", data[28:36])
    whole = data[24 : 24 + 28 + head + payload]
    assert blake3(whole[4:20] + whole[28:]).digest(length=8) == whole[20:28]


def test_the_pack_is_written_so() -> None:
    data = octets("pack")
    first = frame.seal("raw", [2, 7], b"{}spectra")
    second = frame.seal("head=4|delta=2x2|raw", [16], octets("payload"))
    assert data.startswith(pack.header(PACK_ID) + first + second)


def test_the_ids_are_hashes_of_these_bytes() -> None:
    found, laid = octets("content"), octets("layout")
    assert blake3(found).hexdigest() == example("text", "content_id").strip()
    assert blake3(laid).hexdigest() == example("text", "layout_id").strip()


def test_the_ids_are_what_we_compute() -> None:
    rows = [(MEMBERS[0], bytes(32)), (MEMBERS[1], blake3(b"{}").digest())]
    assert identity.content_id(rows) == example("text", "content_id").strip()
    assert identity.layout_id([MEMBERS[1], MEMBERS[0]]) == example("text", "layout_id").strip()


def test_the_entry_is_read_and_written_so() -> None:
    line = example("json", "entry").strip().encode()
    entry = logentry.load(line, where="FORMAT.md")
    assert (entry.number, entry.tags[0]["tag"]) == (2, "paper")
    assert logentry.dump(entry) == (line, None)


@pytest.mark.parametrize("column", manifest.SCHEMA.names)
def test_every_column_is_described(column: str) -> None:
    assert f"`{column}`" in TEXT


@pytest.mark.parametrize(
    "kind", [logentry.Entry, logentry.ArchiveAdded, logentry.PackAdded, logentry.ManifestAdded, logentry.Moved]
)
def test_every_field_of_the_log_is_described(kind: type) -> None:
    described = TEXT[TEXT.index("## The log") : TEXT.index("## Packs")]
    missing = [name for name in kind.__slots__ if f"`{name}`" not in described and name not in ("id", "void")]  # type: ignore[attr-defined]
    assert missing in ([], ["condemned_packs", "condemned_manifests"])  # those stand as one
    assert "`condemned_packs`, `condemned_manifests`" in described


def test_limits_are_those_of_the_code() -> None:
    for words in (
        f"at most {frame.MAX_RAW_BYTES:,}",
        f"1 to {frame.MAX_BLOBS:,}",
        f"at most {rowgroups.ROW_GROUP:,} rows",
        f"at most {rowgroups.RUN_ROWS:,} rows",
        f"has more than {rowgroups.ROW_GROUP:,} members",
        f"lists fewer than {listing.LEAST_POSITIONS:,}",
        f"{listing.MOST_OUTLINE_BYTES // 1024} KiB",
        f"the high {rowgroups.CODE_BITS} bits",
        f"from {kinds.HELD_BYTES // 1024} KiB on have their own",
        f"frames of up to {kinds.HELD_FRAME_BYTES // 1024} KiB in the order",
        f"at most {manifest.MAX_PACKS:,}",
    ):
        assert words in TEXT, words
    assert keys.log_key(12) in TEXT
