"""Copying what is alive out of badly filled packs: whole frames as they stand, the others framed again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from sxeslake import codecs
from sxeslake.errors import DamagedLakeError
from sxeslake.format import frame, keys
from sxeslake.format.pack import Footer
from sxeslake.machine.concurrency import in_order
from sxeslake.model import Digest
from sxeslake.vault.blobs.proving import FramePlace, frames_with, runs
from sxeslake.vault.packs.packing import Packer
from sxeslake.vault.vault import Vault

Reframe = Callable[[str, Sequence[bytes], bytes], bytes]
"""Makes a frame anew: of its pipeline, its blobs and its bytes."""


class NewFrame(NamedTuple):
    """A frame of a new pack, and what it holds."""

    data: bytes
    digests: list[Digest]
    sizes: list[int]


def rewrite(
    vault: Vault,
    packer: Packer,
    kind: str,
    footer: Footer,
    keep: npt.NDArray[np.bool_],
    advance: Callable[[int], None],
    reframe: Reframe | None = None,
) -> set[str]:
    """Put the blobs of a pack that are to be kept into new packs; says which. DamagedLakeError where one is wrong.

    `reframe` is given each whole frame: its pipeline, its blobs, its bytes; what it returns stands in the new pack.
    """
    made = set()
    jobs = (_job(vault, footer, keep, run, reframe) for run in runs(frames_with(footer, keep)))
    results = in_order(jobs, threads=vault.threads, in_flight=vault.threads + 1)
    try:
        for frames, read in results:
            for item in frames:
                made.add(packer.place(kind, item.data, item.digests, item.sizes).pack)
            advance(read)
    finally:
        results.close()
    return made


def _job(
    vault: Vault, footer: Footer, keep: npt.NDArray[np.bool_], run: Sequence[FramePlace], reframe: Reframe | None
) -> Callable[[], tuple[list[NewFrame], int]]:
    def job() -> tuple[list[NewFrame], int]:
        key = keys.pack_key(footer.pack_id)
        bodies = vault.store.get_ranges([(key, item.offset, item.offset + item.length) for item in run])
        frames = [_copied(footer, keep, item, body, key, reframe) for item, body in zip(run, bodies, strict=True)]
        return frames, sum(map(len, bodies))

    return job


def _copied(
    footer: Footer, keep: npt.NDArray[np.bool_], old: FramePlace, body: bytes, key: str, reframe: Reframe | None
) -> NewFrame:
    """One frame, for its new pack. Decoded and hashed in any case: a copy must not carry damage on."""
    found = frame.unseal(body, where=key)
    sizes = footer.sizes[old.blobs].tolist()
    if list(found.sizes) != sizes:
        raise DamagedLakeError(f"the sizes of the frame at {old.offset} are not those of the footer.", where=key)
    raw = memoryview(codecs.decode(found.pipeline, found.payload, found.raw_bytes))
    parts: list[bytes] = []
    digests: list[Digest] = []
    at = 0
    for digest, size, wanted in zip(footer.digests[old.blobs], sizes, keep[old.blobs].tolist(), strict=True):
        part = raw[at : at + size]
        at += size
        if not wanted:
            continue
        digests.append(digest.tobytes())
        if blake3(part).digest() != digests[-1]:
            raise DamagedLakeError(f"blob {digests[-1].hex()} does not agree with its hash.", where=key)
        parts.append(bytes(part))
    if len(digests) == len(sizes):
        return NewFrame(body if reframe is None else reframe(found.pipeline, parts, body), digests, sizes)
    pipeline = codecs.Pipeline.parse(found.pipeline)
    return NewFrame(_framed(pipeline, parts), digests, [len(part) for part in parts])


def _framed(pipeline: codecs.Pipeline, parts: Sequence[bytes]) -> bytes:
    raw = b"".join(parts)
    pipeline, payload = codecs.encode_or_raw(pipeline, raw)
    if codecs.decode(pipeline, payload, len(raw)) != raw:  # as in ingest: proved before it is trusted
        pipeline, payload = codecs.RAW, raw
    return frame.seal(pipeline.descriptor, [len(part) for part in parts], payload)
