"""Repairing packs: what is still whole in a damaged one goes into new packs, with what offers have of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from sxeslake import codecs
from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import frame, keys, pack
from sxeslake.format.manifest import Hint
from sxeslake.format.pack import Footer
from sxeslake.maintenance.gc.digests import U64, among, keys_of
from sxeslake.maintenance.gc.rewrite import rewrite
from sxeslake.maintenance.repair.offers import BlobSpool
from sxeslake.maintenance.verify.findings import Findings, PackFinding
from sxeslake.model import Digest
from sxeslake.vault.blobs.proving import check_frame
from sxeslake.vault.packs.frames import FrameMaker
from sxeslake.vault.packs.holding import NewBlob
from sxeslake.vault.packs.packing import Packer, WrittenPack
from sxeslake.vault.vault import Vault

_AT_ONCE = 4096  # digests asked of the index at once


class Remains:
    """What is left of a damaged pack: a footer of what can be decoded, and which of those blobs are right."""

    def __init__(self, vault: Vault, finding: PackFinding) -> None:
        self.record = finding.record
        if finding.footer is None:
            self.footer = _scanned(vault, finding.record.id)
            self.good: npt.NDArray[np.bool_] = np.ones(len(self.footer.digests), np.bool_)
        else:
            self.footer = finding.footer
            self.good = np.ones(len(self.footer.digests), np.bool_)
            for number in finding.frames:
                self._look_again(vault, number)

    def _look_again(self, vault: Vault, number: int) -> None:
        """Read a bad frame once more: what was wrong on its way here is not wrong in the bucket."""
        key, start = keys.pack_key(self.record.id), int(self.footer.frame_offsets[number])
        blobs = self.footer.blobs_in(number)
        try:
            body = vault.store.get_range(key, start, start + int(self.footer.frame_lengths[number]))
        except (DamagedLakeError, ObjectNotFoundError):
            body = b""
        if check_frame(body, self.footer, blobs, key) is not None:
            self.good[blobs] = False

    def digests(self, *, good: bool) -> set[Digest]:
        """The blobs that can be had from it, or those that cannot, as far as its footer tells."""
        return {digest.tobytes() for digest in self.footer.digests[self.good == good]}


def _scanned(vault: Vault, pack_id: str) -> Footer:
    """A footer made from the frames that can be found: each proves its own bytes, and its blobs are hashed again."""
    key = keys.pack_key(pack_id)
    digests: list[bytes] = []
    offsets: list[int] = []
    lengths: list[int] = []
    counts: list[int] = []
    sizes: list[int] = []
    try:
        data = memoryview(vault.store.get(key))
    except ObjectNotFoundError:
        data = memoryview(b"")
    for offset, length in pack.scan(data):
        try:
            found = frame.unseal(data[offset : offset + length], where=key)
            raw = memoryview(codecs.decode(found.pipeline, found.payload, found.raw_bytes))
        except DamagedLakeError:
            continue
        at = 0
        for size in found.sizes:
            digests.append(blake3(raw[at : at + size]).digest())
            at += size
        sizes += found.sizes
        offsets.append(offset)
        lengths.append(length)
        counts.append(len(found.sizes))
    columns = [np.asarray(column, np.uint32) for column in (offsets, lengths, counts, sizes)]
    return Footer(pack_id, np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32), *columns)


class PackMender:
    """Finds out what is missing, and rewrites it."""

    def __init__(self, vault: Vault, findings: Findings) -> None:
        self._vault, self._known = vault, findings.known
        self.remains = {pack_id: Remains(vault, finding) for pack_id, finding in findings.packs.items()}
        self.elsewhere: set[str] = set()  # whole packs that have blobs of damaged ones, too
        self.made: dict[str, set[str]] = {}

    def wanted(self, needed: Iterable[npt.NDArray[np.uint8]]) -> set[Digest]:
        """Of the blobs that versions need (n × 32 each), those that no pack has any more."""
        bad: set[Digest] = set().union(*(item.digests(good=False) for item in self.remains.values()))
        good: set[Digest] = set().union(*(item.digests(good=True) for item in self.remains.values()))
        bad_keys = np.sort(keys_of(np.frombuffer(b"".join(bad), np.uint8).reshape(-1, 32)))
        candidates: set[Digest] = set()
        for digests in needed:
            at = keys_of(digests)
            unsure = ~among(at, self._known) | among(at, bad_keys)
            candidates |= {digest.tobytes() for digest in digests[unsure]}
        candidates -= good
        return candidates - self._in_whole_packs(sorted(candidates))

    def _in_whole_packs(self, digests: Sequence[Digest]) -> set[Digest]:
        whole = set(self._vault.state.packs()) - self.remains.keys()
        found: set[Digest] = set()
        for start in range(0, len(digests), _AT_ONCE):
            for digest, blob in self._vault.index.find(digests[start : start + _AT_ONCE], live=whole).items():
                found.add(digest)
                self.elsewhere |= {blob.hint.pack} if blob.hint else set()
        return found

    def write(self, needed: U64, spool: BlobSpool) -> list[WrittenPack]:
        """New packs with all that is needed of the damaged ones (keys, sorted), and with what was found."""
        packer = Packer(self._vault.store)
        frames = FrameMaker(packer, lambda *_: None, self._vault.threads)
        try:
            for pack_id, item in self.remains.items():
                keep = item.good & among(keys_of(item.footer.digests), needed)
                self.made[pack_id] = rewrite(self._vault, packer, item.record.kind, item.footer, keep, lambda _: None)
            for number, (digest, path, data) in enumerate(spool.items()):
                frames.add(path, NewBlob(number, digest, data))
            frames.flush()
            return packer.finish()
        finally:
            frames.close()
            packer.close()


def places_of(written: Sequence[WrittenPack]) -> dict[Digest, Hint]:
    """Where each blob of some new packs stands."""
    found: dict[Digest, Hint] = {}
    for item in written:
        footer = item.footer
        columns = (column.tolist() for column in footer.locations())
        for digest, offset, length, inner in zip(footer.digests, *columns, strict=True):
            found[digest.tobytes()] = Hint(footer.pack_id, offset, length, inner)
    return found
