"""What the parts of ingest and pull cost alone, in one thread: processor seconds a byte, as JSON.

python parts.py bytes MAP.plzip FOLDER    reading, writing, inflate, deflate, hashes, on a sample of a map's members
python parts.py frames LAKE               encode and decode of a sample of a lake's frames, by the pipelines they have
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from blake3 import blake3

from sxeslake import codecs
from sxeslake.archive.container import DEFAULT_LEVEL
from sxeslake.archive.deflate import crc32, deflate, inflate, steady_level
from sxeslake.format import frame, pack

_SAMPLE_BYTES = 32 << 20  # raw: beyond the processor's caches, and a second's work to encode at most
_BLOCK_BYTES = 1 << 20
_TURNS = 5
_LOCAL_HEADER_BYTES = 30


def of_bytes(source: Path, folder: Path) -> dict[str, float]:
    """Of a map in a zip."""
    with zipfile.ZipFile(source) as archive:
        infos = [info for info in archive.infolist() if info.file_size]
        step = max(1, sum(info.file_size for info in infos) // _SAMPLE_BYTES)
        folders: dict[str, list[zipfile.ZipInfo]] = {}
        for info in infos:
            folders.setdefault(info.filename.rpartition("/")[0], []).append(info)
        sample = [info for members in list(folders.values())[::step] for info in members]
        raw = [archive.read(info) for info in sample]
        size = sum(map(len, raw))
        packed = [(_packed(source, info), info.file_size) for info in sample if info.compress_type]
    level, scratch = steady_level(DEFAULT_LEVEL), folder / "written"
    joined = b"".join(raw)
    whole = source.stat().st_size
    rates = {
        "read": least(lambda: _read(source)) / whole,
        "write": least(lambda: _write(scratch, joined)) / size,
        "sha256": least(lambda: hashlib.sha256(joined)) / size,
        "inflate": least(lambda: [inflate(data, length) for data, length in packed]) / size,
        "deflate": least(lambda: [deflate(data, level) for data in raw]) / size,
        "crc32": least(lambda: [crc32(data) for data in raw]) / size,
        "blake3": least(lambda: [blake3(data).digest() for data in raw]) / size,
    }
    scratch.unlink()
    return rates


def of_frames(lake: Path) -> dict[str, float]:
    """Of the packs of a lake."""
    frames = [unsealed for path in sorted((lake / "packs").rglob("*.pack")) for unsealed in _frames(path)]
    step = max(1, sum(one.raw_bytes for one in frames) // _SAMPLE_BYTES)
    sample = [(codecs.Pipeline.parse(one.pipeline), one) for one in frames[::step]]
    size = sum(one.raw_bytes for _, one in sample)
    raw = [codecs.decode(pipeline, one.payload, one.raw_bytes) for pipeline, one in sample]
    return {
        "encode": least(lambda: [codecs.encode(pair[0], data) for pair, data in zip(sample, raw, strict=True)]) / size,
        "decode": least(lambda: [codecs.decode(how, one.payload, one.raw_bytes) for how, one in sample]) / size,
    }


def least(work: Callable[[], object]) -> float:
    """Processor seconds of this thread, the least of some turns: others on the machine only add to it."""
    times = []
    for _ in range(_TURNS):
        began = time.thread_time()
        work()
        times.append(time.thread_time() - began)
    return min(times)


def _packed(source: Path, info: zipfile.ZipInfo) -> bytes:
    with source.open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER_BYTES)
        names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        file.seek(names, os.SEEK_CUR)
        return file.read(info.compress_size)


def _read(path: Path) -> None:
    block = bytearray(_BLOCK_BYTES)
    with path.open("rb", buffering=0) as file:
        while file.readinto(block):
            pass


def _write(path: Path, data: bytes) -> None:
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(data), _BLOCK_BYTES):
            file.write(data[start : start + _BLOCK_BYTES])
        os.fsync(file.fileno())


def _frames(path: Path) -> Iterator[frame.Frame]:
    data = memoryview(path.read_bytes())
    for offset, length in pack.scan(data):
        yield frame.unseal(data[offset : offset + length], where=path.name)


_VERBS: dict[str, Callable[..., dict[str, float]]] = {"bytes": of_bytes, "frames": of_frames}


if __name__ == "__main__":
    print(json.dumps(_VERBS[sys.argv[1]](*map(Path, sys.argv[2:]))))
