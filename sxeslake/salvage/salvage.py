#!/usr/bin/env python3
"""Read a sxeslake lake without sxeslake: one file, written from FORMAT.md, which stands beside it in `salvage.pyz`.

    python salvage.pyz LAKE list
    python salvage.pyz LAKE restore OUT [--zip] [--all] [NAME | NAME@VERSION …]

LAKE is a folder: a local lake, or a copy of a bucket made with any tool. Needs Python 3.11 and
`pip install blake3 numpy pcodec pyarrow zstandard`. What is damaged is named, what is left is restored;
nothing is written into LAKE. Exit code 0: all is well, 1: something is damaged, 2: the call's words are off.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import errno
import json
import math
import os
import re
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from blake3 import blake3
from pcodec import standalone

FORMAT = 1
MAX_RAW_BYTES = 64 << 20
MAX_ENTRY_BYTES = 1 << 20
FRAME = struct.Struct("<4sIIII8s")
CHUNK = struct.Struct("<32s6I")
TAIL = struct.Struct("<IIIQ32s8s")
ID = re.compile(r"[0-9a-f]{32}")
COLUMNS = "path ordinal directory size modified_ns attributes dos_time blake3 chunks"
HINT = ("blake3", "size", "pack", "frame_offset", "frame_length", "blob_offset")
LONG = (
    "pack_ids packs manifests archives forgotten restored collected condemned_packs condemned_manifests replaced moved "
    "tags annotations"
)
STAGE = re.compile(r"(delta|transpose)=([1248])x([1-9][0-9]*)")


HEX = re.compile(r"[0-9a-f]{64}")
UNFIT = re.compile(r"[\x00-\x1f\x7f@\ud800-\udfff]")
MAX_NAME_BYTES = 240  # file systems hold 255
OF_ONE_NAME = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
HOSTILE = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
)  # by values of a wrong kind


class DamagedBytes(Exception):  # noqa: N818 — a finding, not a fault of this program
    """Bytes that are not what they should be."""


class BlobPlace(NamedTuple):
    """Where a blob is said to stand."""

    digest: bytes
    size: int
    pack: str
    frame: int
    length: int
    inner: int


@dataclass
class LoggedVersion:
    """An archive version, as the log has it."""

    record: dict[str, Any]
    state: str = "live"

    @property
    def name(self) -> str:
        """`ti-grains@2`"""
        return f"{self.record['sample']}@{self.record['version']}"


# --- codecs ----------------------------------------------------------------------------------------------------------


def unzstd(data: bytes, size: int) -> bytes:
    """One Zstandard frame of a known content size."""
    try:
        if zstandard.frame_content_size(data) != size:
            raise DamagedBytes("a Zstandard frame has another size than it should")
        return zstandard.decompress(data, max_output_size=size)
    except zstandard.ZstdError as error:
        raise DamagedBytes(f"Zstandard: {error}") from error


def decode(descriptor: str, payload: bytes, size: int) -> bytes:
    """A payload back into `size` raw bytes: edges, coder, then the filters from the last to the first."""
    *stages, coder = descriptor.split("|")
    edges = {"head": 0, "tail": 0}
    while stages and (match := re.fullmatch(r"(head|tail)=([1-9][0-9]*)", stages[0])):
        edges[match[1]] = int(match[2])
        del stages[0]
    sums = re.fullmatch(r"sums=([1248])x([1-9][0-9]*)", stages[0]) if stages else None
    del stages[: sums is not None]
    head, tail = (edges["head"], edges["tail"]) if size >= sum(edges.values()) else (size, 0)
    if head + tail <= 64:
        sides, rest = payload[: head + tail], payload[head + tail :]
    else:
        end = 4 + int.from_bytes(payload[:4], "little")
        sides, rest = unzstd(payload[4:end], head + tail), payload[end:]
    body = bytearray(uncode(coder, rest, size - head - tail))
    for stage in reversed(stages):
        match = STAGE.fullmatch(stage)
        if match is None:
            raise DamagedBytes(f"nothing is known of the filter {stage!r}")
        unfilter(match[1], int(match[2]), int(match[3]), body)
    after = sides[head:] if sums is None else add_sums(int(sums[1]), int(sums[2]), body, sides[head:])
    return sides[:head] + bytes(body) + after


def uncode(coder: str, payload: bytes, size: int) -> bytes:
    """What the last stage of a pipeline wrote: `raw`, `zstd:19`, `pco:i4:8:d0`."""
    name, _, argument = coder.partition(":")
    if name == "raw":
        return payload
    if name == "zstd":
        return unzstd(payload, size)
    if name != "pco":
        raise DamagedBytes(f"nothing is known of the codec {name!r}")
    element = argument.split(":")[0]
    width = int(element[1:])
    odd = size % width
    numbers = np.empty(size // width, f"<{element}")
    try:
        progress = standalone.simple_decompress_into(payload[: len(payload) - odd], numbers)
    except BaseException as error:  # a panic inside pcodec is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        raise DamagedBytes(f"pco: {error}") from error
    if progress.n_processed != numbers.size:
        raise DamagedBytes("pco: too few numbers")
    return numbers.tobytes() + payload[len(payload) - odd :]


def unfilter(name: str, width: int, stride: int, body: bytearray) -> None:
    """Undo `delta` or `transpose` in place."""
    numbers = np.frombuffer(body, f"<u{width}", len(body) // width)
    whole = len(numbers) - len(numbers) % stride
    if name == "transpose":
        numbers[:whole] = numbers[:whole].reshape(stride, -1).T.ravel()
        return
    for start in range(stride, len(numbers), stride):
        row = numbers[start : start + stride]
        row += numbers[start - stride : start - stride + len(row)]


def add_sums(width: int, stride: int, body: bytearray, tail: bytes) -> bytes:
    """Give each byte of the tail back the low byte of the sum of its column."""
    numbers = np.frombuffer(body, f"<u{width}", len(body) // width)
    sums = numbers[: len(numbers) - len(numbers) % stride].reshape(-1, stride).sum(axis=0, dtype=np.uint64)
    out = np.frombuffer(tail, np.uint8).copy()
    count = min(len(out), stride)
    out[:count] += (sums[:count] & 0xFF).astype(np.uint8)
    return out.tobytes()


# --- frames and packs ------------------------------------------------------------------------------------------------


def frame_length(data: bytes, at: int) -> int | None:
    """The length of the frame that starts here, if one can."""
    if len(data) - at < FRAME.size:
        return None
    magic, head, payload, raw, blobs, _ = FRAME.unpack_from(data, at)
    fits = magic == b"SXf1" and raw <= MAX_RAW_BYTES and 1 <= blobs <= 65_536
    length = int(FRAME.size + head + payload)
    return length if fits and at + length <= len(data) else None


def open_frame(data: bytes) -> tuple[list[int], bytes]:
    """The sizes of a frame's blobs, and all of them decoded."""
    if frame_length(data, 0) != len(data):
        raise DamagedBytes("there is no frame here")
    _, head_bytes, _, raw_bytes, count, checksum = FRAME.unpack_from(data)
    if blake3(data[4:20] + data[FRAME.size :]).digest(length=8) != checksum:
        raise DamagedBytes("the frame's checksum is wrong")
    head, payload = data[FRAME.size : FRAME.size + head_bytes], data[FRAME.size + head_bytes :]
    name, form, table = head[1 : 1 + head[0]].decode("ascii"), head[1 + head[0]], head[2 + head[0] :]
    sizes = [raw_bytes // count] * count
    if form == 1:
        sizes = np.frombuffer(unzstd(table, 4 * count), "<u4").tolist()
    raw = decode(name, payload, raw_bytes)
    if sum(sizes) != raw_bytes or len(raw) != raw_bytes:
        raise DamagedBytes("the frame's sizes do not add up")
    return sizes, raw


def blobs_of(pack: str, data: bytes) -> Iterator[BlobPlace]:
    """The blobs of a pack by its footer; where that is lost or damaged, by scanning for frames."""
    try:
        yield from _by_footer(pack, data)
    except DamagedBytes:
        yield from _by_scan(pack, data)


def _by_footer(pack: str, data: bytes) -> list[BlobPlace]:
    if len(data) < 24 + TAIL.size or data[:24] != b"SXPACK1\n" + bytes.fromhex(pack):
        raise DamagedBytes("the pack's header is wrong")
    frames, count, table_bytes, start, digest, magic = TAIL.unpack_from(data, len(data) - TAIL.size)
    if magic != b"SXPKEND1" or start + 32 * count + table_bytes + TAIL.size != len(data):
        raise DamagedBytes("the pack has no footer")
    if blake3(data[:24] + data[start : len(data) - 40]).digest() != digest:
        raise DamagedBytes("the pack's footer is damaged")
    hashes, table = data[start : start + 32 * count], data[start + 32 * count : -TAIL.size]
    numbers = np.frombuffer(unzstd(table, 4 * (2 * frames + count)), "<u4").tolist()
    found, at, blob = [], 24, 0
    for length, blobs in zip(numbers[:frames], numbers[frames : 2 * frames], strict=True):
        inner = 0
        for number in range(blob, blob + blobs):
            size = numbers[2 * frames + number]
            found.append(BlobPlace(hashes[32 * number : 32 * number + 32], size, pack, at, length, inner))
            inner += size
        at, blob = at + length, blob + blobs
    return found


def _by_scan(pack: str, data: bytes) -> Iterator[BlobPlace]:
    at = data.find(b"SXf1")
    while at >= 0:
        length = frame_length(data, at) or 0
        try:
            sizes, raw = open_frame(data[at : at + length])
        except (DamagedBytes, *HOSTILE):
            at = data.find(b"SXf1", at + 1)
            continue
        inner = 0
        for size in sizes:
            yield BlobPlace(blake3(raw[inner : inner + size]).digest(), size, pack, at, length, inner)
            inner += size
        at = data.find(b"SXf1", at + length)


# --- items of the log ------------------------------------------------------------------------------------------------


def parsed(data: bytes) -> dict[str, Any]:
    """A JSON object; a number that no field takes is False, so that it spoils its own item only."""
    found = json.loads(
        data,
        parse_int=lambda digits: int(digits) if len(digits) <= 20 else False,
        parse_float=lambda digits: value if math.isfinite(value := float(digits)) else False,
        parse_constant=lambda _: False,
    )
    if not isinstance(found, dict):
        raise DamagedBytes("it is not a JSON object")
    return found


def is_later(entry: dict[str, Any]) -> bool:
    """Whether an entry is of a later format than this reader knows."""
    number = entry.get("format")
    return isinstance(number, int | float) and not isinstance(number, bool) and FORMAT < number < 2**63


def check(is_right: bool, what: str) -> None:
    """Damage unless this is right."""
    if not is_right:
        raise DamagedBytes(what)


def count(value: Any) -> int:
    """`value`, if it is an integer from 0 to 2^63 − 1."""
    check(type(value) is int and 0 <= value < 2**63, f"{value!r:.60} is not a number")
    return int(value)


def text(value: Any) -> str:
    """`value`, if it is text."""
    check(isinstance(value, str), f"{value!r:.60} is not text")
    str(value).encode()
    return str(value)


def identity(value: Any) -> str:
    """`value`, if it is an id."""
    check(isinstance(value, str) and ID.fullmatch(value) is not None, f"{value!r:.60} is not an id")
    return str(value)


def plain(value: Any, levels: int = 16) -> None:
    """Damage where objects and lists nest more than 16 deep, or text is none."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, dict | list):
        check(levels > 0, "it nests too deeply")
        for part in [*value, *value.values()] if isinstance(value, dict) else value:
            plain(part, levels - 1)


def check_object(item: dict[str, Any], texts: str, counts: str) -> None:
    """Damage where a key lacks, or has a value of another type."""
    for key in texts.split():
        text(item[key])
    for key in counts.split():
        count(item[key])


def check_place(item: dict[str, Any], pack_ids: Any) -> None:
    """Damage where a version does not say properly which rows and packs are its own."""
    check_object(item, "sample manifest", "version first_group groups rows")
    identity(item["manifest"])
    check(item["first_group"] + item["groups"] <= 2**31, "more row groups than a manifest has")
    needs = item.get("needs", [])
    check(isinstance(needs, list), "needs is not a list")
    for place in needs:
        check(type(place) is int and place >= 0, f"{place!r:.60} is not an index of pack_ids")
        identity(pack_ids[place])


def check_recipe(recipe: dict[str, Any]) -> None:
    """Damage where this is not a recipe."""
    check(isinstance(recipe, dict) and isinstance(recipe.get("blobs", []), list), "the recipe is invalid")
    for digest, size, pack, *place in recipe.get("blobs", []):
        check(isinstance(digest, str) and HEX.fullmatch(digest) is not None, "a recipe's blob has no hash")
        identity(pack)
        check(len([count(value) for value in (size, *place)]) == 4, "a recipe's blob has no place")
    inline = recipe.get("inline", "")
    check(isinstance(inline, str) and len(inline) <= 64 << 10, "the recipe is not text, or too long")
    base64.b64decode(inline, validate=True)
    check(isinstance(recipe.get("reason"), str | None), "the recipe's reason is not text")


def check_archive(item: dict[str, Any], pack_ids: Any) -> None:
    """Damage where an item of `archives` breaks a rule by itself."""
    check_place(item, pack_ids)
    check_object(item, "content_id layout_id kind", "members bytes_source bytes_raw blobs blobs_new bytes_stored")
    name, source = item["sample"], item["source"]
    check(0 < len(name) <= 512 and not UNFIT.search(name), f"{name!r:.60} is not a name")
    check(not {"", ".", ".."} & set(name.split("/")), f"{name!r:.60} is not a name")
    check(1 <= item["version"] < 2**53, f"{item['version']} is not a version number")
    check(isinstance(source, dict), "the source is invalid")
    for key in ("path", "host", "name", "container", "sha256"):
        check(isinstance(source.get(key), str | None), f"the source's {key} is not text")
    count(source.get("size", 0))
    modified = source.get("modified_ns", 0)
    check(type(modified) is int and -(2**63) <= modified < 2**63, "the source's modified_ns is invalid")
    for key in ("analyses", "warnings"):
        check(isinstance(item.get(key, []), list), f"{key} is not a list")
        for word in item.get(key, []):
            text(word)
    bytes.fromhex(text(item.get("comment", "")))
    for value in item.get("origin", {}).values():
        check(isinstance(value, str | None), "the origin is invalid")
    check_recipe(item.get("recipe", {}))


# --- the lake --------------------------------------------------------------------------------------------------------


@dataclass
class FolderLake:
    """A lake in a folder; `damage` collects what was found wrong."""

    root: Path
    versions: dict[str, LoggedVersion] = field(default_factory=dict)
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)  # manifests that were condemned
    damage: list[str] = field(default_factory=list)
    _index: dict[bytes, BlobPlace] | None = None
    _frame: tuple[tuple[str, int, int], bytes] | None = None

    def open(self) -> None:
        """Check `lake.json` and fold the log."""
        try:
            data = (self.root / "lake.json").read_bytes()
            if data.startswith(b'{"blake3":"') and blake3(data[75:]).hexdigest().encode() != data[11:75]:
                self.note("lake.json", "its hash is wrong")
            parameters = json.loads(data)
            if parameters["format"] > FORMAT or parameters["features"] or parameters["hash"] != "blake3-256":
                self.note("lake.json", "a newer format; this reader does what it can")
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.note("lake.json", str(error))
        self._fold_log()

    def _fold_log(self) -> None:
        """Fold the entries in order; behind one that cannot be had, whatever comes next follows."""
        previous: str | None = None
        expected, follows_any, is_whole = 1, False, True
        for path in sorted((self.root / "log").glob("[0-9]*.json")):
            entry, digest = self._entry(path)
            number = int(path.stem)
            if number != expected:
                follows_any, is_whole = True, False
                self.note(f"log/{expected:020d}.json", "is missing")
            if entry is not None and digest is not None:
                entry = self._in_place(path, entry, None if follows_any else (previous,))
            stands_for = (entry or {}).get("stands_for")
            previous = stands_for if isinstance(stands_for, str) and HEX.fullmatch(stands_for) else digest
            expected, follows_any = number + 1, entry is None or previous is None
            self._fold(f"log/{path.name}", entry or {})
            is_whole = is_whole and entry is not None
        if not is_whole:
            self._find_unlogged()

    def _in_place(self, path: Path, entry: dict[str, Any], before: tuple[str | None] | None) -> dict[str, Any] | None:
        """An entry whose hash is right, if it belongs here; `before` is the hash that it should follow, if known."""
        where = f"log/{path.name}"
        if is_later(entry):
            self.note(where, f"has format {entry['format']}; its content is not known here")
            return {}
        if type(entry.get("number")) is not int or entry["number"] != int(path.stem):
            self.note(where, "has another number")
            return None
        if path.stat().st_size > MAX_ENTRY_BYTES:
            self.note(where, "is longer than entries may be")
            return None
        previous = entry.get("previous")
        if previous is not None and not (isinstance(previous, str) and HEX.fullmatch(previous)):
            self.note(where, "names no hash as the one before")
            return None
        if before is not None and previous != before[0]:
            self.note(where, "does not follow the entry before")
        return entry

    def note(self, where: str, what: str) -> None:
        """Take note of damage."""
        self.damage.append(f"{where}: {what}")

    def _entry(self, path: Path) -> tuple[dict[str, Any] | None, str | None]:
        """An entry; with a wrong hash too, if it can be read: what it says is proved by other hashes later."""
        data = path.read_bytes()
        digest: str | None = data[11:75].decode("ascii", "replace")
        if not data.startswith(b'{"blake3":"') or blake3(data[75:]).hexdigest() != digest:
            self.note(f"log/{path.name}", "its hash is wrong; it was read all the same")
            digest = None
        try:
            entry = parsed(data)
            if is_later(entry):
                return entry, digest
            if entry.get("body") is not None:
                name = str(entry["body"]["blake3"])
                body = (self.root / "log" / "body" / name[:2] / f"{name}.json").read_bytes()
                if blake3(body).hexdigest() != name:
                    self.note(f"log/body/{name}", "its hash is wrong; it was read all the same")
                    digest = None
                inner = parsed(body)
                check(inner["transaction"] == entry["transaction"], "its body is of another transaction")
                entry |= {key: inner[key] for key in LONG.split() if key in inner}
        except (OSError, DamagedBytes, *HOSTILE) as error:
            self.note(f"log/{path.name}", f"cannot be read: {error}")
            return None, digest
        return entry, digest

    def _fold(self, where: str, entry: dict[str, Any]) -> None:
        """Take in what counts of an entry, in the order of FORMAT.md; what does not is named."""
        packs = entry.get("pack_ids")
        packs = packs if isinstance(packs, list) else []
        for item in self._items(where, entry, "manifests", self._check_manifest):
            self.manifests[item["id"]] = item
        for item in self._items(where, entry, "archives", lambda item: self._check_version(item, packs)):
            version = LoggedVersion(item)
            self.versions[version.name] = version
        for item in self._items(where, entry, "moved", lambda item: self._check_moved(item, packs)):
            found = self.versions[f"{item['sample']}@{item['version']}"]
            found.record |= {key: item[key] for key in ("manifest", "first_group", "groups", "rows")}
        for state, key, sources in (
            ("forgotten", "forgotten", ("live", "forgotten")),
            ("live", "restored", ("forgotten", "live")),
            ("collected", "collected", ("forgotten", "collected")),
        ):
            for sample, number in self._items(where, entry, key, partial(self._check_change, sources)):
                self.versions[f"{sample}@{number}"].state = state
        self.dead.update(self._items(where, entry, "condemned_manifests", identity))

    def _items(self, where: str, entry: dict[str, Any], key: str, rule: Callable[[Any], object]) -> Iterator[Any]:
        """The items of a list that break no rule; each is judged when those before it have been taken in."""
        items = entry.get(key)
        if items is not None and not isinstance(items, list):
            self.note(where, f"{key} is void: it is not a list")
            return
        for place, item in enumerate(items or ()):
            try:
                plain(item)
                rule(item)
            except (DamagedBytes, *HOSTILE) as error:
                self.note(where, f"{key}[{place}] is void: {error}")
            else:
                yield item

    def _check_manifest(self, item: dict[str, Any]) -> None:
        check_object(item, "id blake3 footer_blake3", "bytes footer_bytes")
        check(0 < item["footer_bytes"] <= item["bytes"], "its footer is longer than itself, or nothing")
        known = self.manifests.keys() | self.dead
        check(identity(item["id"]) not in known, f"manifest {item['id']} is there already, or was condemned")

    def _check_version(self, item: dict[str, Any], packs: list[Any]) -> None:
        check_archive(item, packs)
        name = f"{item['sample']}@{item['version']}"
        check(name not in self.versions, f"{name} is there already")
        self._check_alive(item["manifest"])

    def _check_moved(self, item: dict[str, Any], packs: list[Any]) -> None:
        check_place(item, packs)
        if item.get("recipe") is not None:
            check_recipe(item["recipe"])
        found = self.versions[f"{item['sample']}@{item['version']}"]
        check(found.state != "collected", f"{found.name} was collected")
        self._check_alive(item["manifest"])

    def _check_alive(self, manifest: str) -> None:
        check(manifest in self.manifests and manifest not in self.dead, f"manifest {manifest} is not alive")

    def _check_change(self, sources: tuple[str, ...], item: Any) -> None:
        check(isinstance(item, list) and len(item) == 2, "it is not a name and number")
        found = self.versions[f"{text(item[0])}@{count(item[1])}"]
        check(found.state in sources, f"{found.name} is {found.state}")

    def _find_unlogged(self) -> None:
        """Archives of manifests whose log entry is lost: they have no names, but all else."""
        for path in sorted((self.root / "manifests").glob("*/*.parquet")):
            if path.stem in self.manifests or not ID.fullmatch(path.stem):
                continue
            try:
                file = pq.ParquetFile(pa.BufferReader(path.read_bytes()), page_checksum_verification=True)
                found = _archives_in(file)
            except (OSError, ValueError, pa.ArrowException) as error:
                self.note(f"manifests/{path.parent.name}/{path.name}", f"cannot be read: {error}")
                continue
            for number, (first, groups, members, size) in enumerate(found, 1):
                record = {"sample": f"lost-{path.stem[:8]}-{number}", "version": 1, "manifest": path.stem}
                record |= {"first_group": first, "groups": groups, "members": members, "bytes_raw": size}
                version = LoggedVersion(record)
                self.versions[version.name] = version
                self.note(version.name, "its log entry is lost; found in a manifest")

    def rows(self, version: LoggedVersion) -> tuple[list[dict[str, Any]], list[str]]:
        """The members of a version by path, and the packs that their hints name."""
        record = version.record
        name = str(record["manifest"])
        if not ID.fullmatch(name):
            raise DamagedBytes(f"{name!r} is not a manifest id")
        key = f"manifests/{name[:2]}/{name}.parquet"
        try:
            data = (self.root / key).read_bytes()
            if name in self.manifests and blake3(data).hexdigest() != self.manifests[name].get("blake3"):
                self.note(key, f"its hash is wrong; {version.name} needs it")
            file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
            packs = json.loads(file.schema_arrow.metadata[b"sxeslake"])["packs"]
            if missing := [column for column in (*COLUMNS.split(), *HINT) if column not in file.schema_arrow.names]:
                raise DamagedBytes(f"{key}: columns are missing: {', '.join(missing)}")
            groups = range(record["first_group"], record["first_group"] + record["groups"])
            rows: list[dict[str, Any]] = file.read_row_groups(list(groups)).to_pylist() if groups else []
        except (OSError, ValueError, KeyError, TypeError, IndexError, pa.ArrowException) as error:
            raise DamagedBytes(f"{key}: {error}") from error
        rows.sort(key=lambda row: row["path"].encode())  # large groups stand as their positions are listed
        hasher = blake3(b"sxeslake content 1\n")
        for row in rows:
            path = row["path"].encode()
            hasher.update((b"d" if row["directory"] else b"f") + struct.pack("<IQ", len(path), row["size"]))
            hasher.update(path + row["blake3"])
        if hasher.hexdigest() != record.get("content_id", hasher.hexdigest()):
            self.note(key, f"its rows are not what {version.name} was")
        return rows, packs

    def content(self, row: dict[str, Any], packs: list[str]) -> Iterator[bytes]:
        """A member's bytes, blob by blob, each proved by its hash."""
        if row["directory"] or row["size"] == 0:
            return
        if row["chunks"] is None:
            places = [tuple(row[name] for name in HINT)]
        else:
            places = [place[:6] for place in CHUNK.iter_unpack(row["chunks"])]
        for digest, size, pack, *place in places:
            known = pack is not None and pack < len(packs)
            yield self.blob(digest, BlobPlace(digest, size, packs[pack], *place) if known else None)

    def blob(self, digest: bytes, hint: BlobPlace | None) -> bytes:
        """A blob from where the hint says, else from any pack that holds it."""
        data = self._read(hint) if hint is not None else None
        if data is None:
            if self._index is None:
                self._index = {blob.digest: blob for blob in self._all_blobs()}
            found = self._index.get(digest)
            data = None if found is None else self._read(found)
        if data is None:
            raise DamagedBytes(f"blob {digest.hex()} is lost")
        return data

    def _read(self, blob: BlobPlace) -> bytes | None:
        key = (blob.pack, blob.frame, blob.length)
        if self._frame is None or self._frame[0] != key:
            try:
                with self._path(blob.pack).open("rb") as file:
                    file.seek(blob.frame)
                    self._frame = (key, open_frame(file.read(blob.length))[1])
            except (OSError, DamagedBytes, *HOSTILE):
                return None
        data = self._frame[1][blob.inner : blob.inner + blob.size]
        return data if blake3(data).digest() == blob.digest else None

    def _path(self, pack: str) -> Path:
        if not ID.fullmatch(pack):
            raise DamagedBytes(f"{pack!r} is not a pack id")
        return self.root / "packs" / pack[:2] / f"{pack}.pack"

    def _all_blobs(self) -> Iterator[BlobPlace]:
        for path in sorted((self.root / "packs").glob("*/*.pack")):
            if ID.fullmatch(path.stem):
                yield from blobs_of(path.stem, path.read_bytes())


def _archives_in(file: pq.ParquetFile) -> list[tuple[int, int, int, int]]:
    """First row group, row groups, members and bytes of each archive: its ordinals are 0, 1, 2 … in some order."""
    found: list[tuple[int, int, int, int]] = []
    first, ordinals, size = 0, np.empty(0, np.uint32), 0
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=["ordinal", "size"])
        here = table["ordinal"].to_numpy()
        if found and not len(ordinals) and here.min() == found[-1][2]:  # the one before goes on
            first, _, members, size = found.pop()
            ordinals = np.arange(members, dtype=np.uint32)
        ordinals, size = np.concatenate((ordinals, here)), size + int(table["size"].to_numpy().sum())
        if int(ordinals.max()) + 1 == len(ordinals):
            found.append((first, group + 1 - first, len(ordinals), size))
            first, ordinals, size = group + 1, np.empty(0, np.uint32), 0
    return found


# --- restoring -------------------------------------------------------------------------------------------------------


def is_safe(path: str) -> bool:
    """Whether a member may be written below a folder under this name."""
    parts = re.split(r"[/\\]", path)
    drive = r"[A-Za-z]:" if os.name == "nt" else r"[A-Za-z]:[/\\]"  # elsewhere `N:Ka.csv` is a name like others
    return not (set(parts) & {"", ".", ".."} or "\0" in path or re.match(drive, path))


def file_name(name: str, suffix: str = "") -> str:
    """A version's own file or folder name, no two the same: `2019/map@1` → `2019%2Fmap@1`; long ones end in a hash."""
    safe = re.sub(r"^\.|[^\w.@ -]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), name)
    if len(safe.encode()) + len(suffix) > MAX_NAME_BYTES:
        start = safe.encode()[: MAX_NAME_BYTES - 40].decode("utf-8", "ignore")
        safe = f"{start}%{blake3(name.encode()).hexdigest()[:32]}"
    return safe + suffix


def restore(lake: FolderLake, version: LoggedVersion, out: Path, *, as_zip: bool) -> int:
    """Write a version below `out`; says how many members could not be had. A damaged member is left out and named."""
    rows, packs = lake.rows(version)
    rows.sort(key=lambda row: row["ordinal"])
    target = out / file_name(version.name, ".zip" if as_zip else "")
    out.mkdir(parents=True, exist_ok=True)
    lost = 0
    archive = zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) if as_zip else None
    if archive is None:
        target.mkdir()
    for row in rows:
        try:
            if not is_safe(row["path"]):
                raise DamagedBytes("its name is not safe")
            if archive is None:
                _to_folder(lake, row, packs, target)
            else:
                _to_zip(lake, row, packs, archive)
        except (DamagedBytes, OSError, *HOSTILE) as error:
            if isinstance(error, OSError) and error.errno not in OF_ONE_NAME:
                raise
            lost += 1
            what = (
                f"the disk cannot hold it ({error.strerror}); try --zip" if isinstance(error, OSError) else str(error)
            )
            lake.note(f"{version.name}: {row['path']}", what)
    if archive is not None:
        archive.close()
    else:
        for row in reversed(rows):  # a folder's time changes with every file that comes into it
            if row["directory"] and is_safe(row["path"]):
                with contextlib.suppress(OSError, *HOSTILE):  # not there, for the disk could not hold its name
                    _set_time(target / row["path"], row)
    return lost


def _to_folder(lake: FolderLake, row: dict[str, Any], packs: list[str], target: Path) -> None:
    path = target / row["path"]
    if row["directory"]:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            _copy(lake, row, packs, file)
    except (DamagedBytes, OSError):
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    _set_time(path, row)


def _to_zip(lake: FolderLake, row: dict[str, Any], packs: list[str], archive: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo(row["path"] + "/" * row["directory"], _wall_clock(row))
    attributes = row["attributes"] or 0
    entry.create_system = 3 if attributes & 0x8000 else 0
    entry.external_attr = attributes & ~0x8000 if attributes & 0x8000 else attributes & 0x7FFF
    entry.compress_type = zipfile.ZIP_DEFLATED
    if row["directory"]:
        archive.writestr(entry, b"")
        return
    blobs = list(lake.content(row, packs)) if row["size"] <= MAX_RAW_BYTES else None
    if blobs is None:  # too large to hold: proved once before the zip sees a byte of it
        _copy(lake, row, packs, None)
    with archive.open(entry, "w", force_zip64=row["size"] >= 2**31) as file:
        hasher = blake3()
        for blob in blobs if blobs is not None else lake.content(row, packs):
            hasher.update(blob)
            file.write(blob)
    if hasher.digest() != row["blake3"]:
        raise DamagedBytes("its content is not what it was")


def _copy(lake: FolderLake, row: dict[str, Any], packs: list[str], file: BinaryIO | None) -> None:
    hasher, size = blake3(), 0
    for blob in lake.content(row, packs):
        hasher.update(blob)
        size += len(blob)
        if file is not None:
            file.write(blob)
    if hasher.digest() != row["blake3"] or size != row["size"]:
        raise DamagedBytes("its content is not what it was")


def _set_time(path: Path, row: dict[str, Any]) -> None:
    ns = row["modified_ns"]
    if ns is None and row["dos_time"] is not None:  # a zip's wall clock; its time zone is not known
        ns = int(datetime(*_wall_clock(row)).timestamp()) * 10**9
    if ns is not None:
        os.utime(path, ns=(ns, ns))


def _wall_clock(row: dict[str, Any]) -> tuple[int, int, int, int, int, int]:
    dos = row["dos_time"]
    try:
        if dos is not None:
            day = (dos >> 25) + 1980, dos >> 21 & 15, dos >> 16 & 31
            moment = datetime(*day, dos >> 11 & 31, dos >> 5 & 63, min(59, (dos & 31) * 2))
        else:
            moment = datetime.fromtimestamp((row["modified_ns"] or 0) / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        return (1980, 1, 1, 0, 0, 0)
    if not 1980 <= moment.year <= 2107:
        return (1980, 1, 1, 0, 0, 0)
    return (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)


def chosen(lake: FolderLake, names: list[str], *, everything: bool) -> list[LoggedVersion]:
    """The versions that names mean; without names all that are live, with `--all` the forgotten ones too."""
    states = ("live", "forgotten") if everything else ("live",)
    there = [version for version in lake.versions.values() if version.state in states]
    if names:
        there = [v for v in there if v.name in names or v.record["sample"] in names]
        missing = set(names) - {v.name for v in there} - {v.record["sample"] for v in there}
        for name in sorted(missing):
            lake.note(name, "there is no such archive")
    return there


def shown(words: object) -> str:
    """Words without control characters: names must not steer a terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(words))


def main() -> int:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake", type=Path, metavar="LAKE")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show what is in the lake")
    doing = commands.add_parser("restore", help="write archives as folders, or as zip")
    doing.add_argument("out", type=Path, metavar="OUT")
    doing.add_argument("names", nargs="*", metavar="NAME")
    doing.add_argument("--zip", action="store_true", help="write zip archives instead of folders")
    doing.add_argument("--all", action="store_true", help="forgotten versions too, where they still exist")
    asked = parser.parse_args()
    lake = FolderLake(asked.lake)
    lake.open()
    if asked.command == "list":
        for version in lake.versions.values():
            record = version.record
            sys.stdout.write(
                f"{shown(version.name)}\t{version.state}\t{record.get('members')}\t{record.get('bytes_raw')}\n"
            )
    else:
        for version in chosen(lake, asked.names, everything=asked.all):
            try:
                lost = restore(lake, version, asked.out, as_zip=asked.zip)
            except (DamagedBytes, OSError, *HOSTILE) as error:
                lake.note(version.name, str(error))
                continue
            sys.stdout.write(f"{shown(version.name)}\t{'whole' if not lost else f'{lost} members lost'}\n")
    for line in lake.damage:
        sys.stderr.write(f"{shown(line)}\n")
    return 1 if lake.damage else 0


if __name__ == "__main__":
    sys.exit(main())
