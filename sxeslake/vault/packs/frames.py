"""From new blobs to frames: grouped by kind, encoded and proved in threads, placed in packs in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sxeslake import codecs
from sxeslake.format import frame
from sxeslake.format.manifest import Hint
from sxeslake.format.rowgroups import position_and_name
from sxeslake.machine.concurrency import OrderedPool
from sxeslake.model import MIB, Preset
from sxeslake.vault.packs.holding import Held, NewBlob
from sxeslake.vault.packs.kinds import (
    ALONE_BYTES,
    FOLLOWS,
    FRAME_BYTES,
    HELD_BYTES,
    HELD_FRAME_BYTES,
    WINDOW_BYTES,
    Kind,
    kind_of,
)
from sxeslake.vault.packs.packing import Packer

_PENDING_BYTES = 16 * MIB  # of groups that wait for company: a generic archive can have hundreds of kinds
JOB_BYTES = 1 * MIB  # of blobs, to one job of the pool
_MAX_GROUP = 4096  # blobs in a frame
_MAX_FOLLOWERS = 256  # in an archive in which like members lie beside like


@dataclass(slots=True)
class _FrameGroup:
    blobs: list[NewBlob] = field(default_factory=list)
    size: int = 0


class _Follower(NamedTuple):
    """A blob that waits for the one that it follows from."""

    path: str
    name: str
    blob: NewBlob


class _Framing(NamedTuple):
    """A frame to be made."""

    kind: Kind
    blobs: Sequence[NewBlob]
    follower: str | None


class _EncodedFrame(NamedTuple):
    kind: Kind
    blobs: Sequence[NewBlob]
    frame: bytes


Placed = Callable[[int, Hint, int], None]
"""Told of each blob: its number, where it stands, and its share of the stored bytes."""


class FrameMaker:
    """Takes new blobs; tells `placed` where each of them stands in which pack."""

    def __init__(self, packer: Packer, placed: Placed, threads: int, preset: Preset = "balanced") -> None:
        self._packer, self._placed = packer, placed
        self._chooser = codecs.Chooser(preset)
        self._groups: dict[Kind, _FrameGroup] = {}
        self._runs: dict[Kind, list[NewBlob]] = {}
        self._waiting = self._window = 0
        self._followers: dict[str, _Follower] = {}
        self._held: Held | None = None
        self._run: list[_Framing] = []
        self._run_bytes = 0
        self._pool: OrderedPool[list[_EncodedFrame]] = OrderedPool(self._place_all, threads=threads)

    def add(self, path: str, blob: NewBlob) -> None:
        """Take the blob of a member; its frame is made when it is full."""
        if self._window + len(blob.data) > WINDOW_BYTES:
            self._end_runs()
        self._window += len(blob.data)
        folder, _, name = path.rpartition("/")
        if name in FOLLOWS and len(blob.data) < ALONE_BYTES:
            if folder in self._followers:  # of the archive before, which had nothing that it follows from
                self._release(folder)
            self._followers[folder] = _Follower(path, name, blob)
            if len(self._followers) > _MAX_FOLLOWERS:
                self._release(next(iter(self._followers)))
            return
        follower = self._followers.get(folder)
        if follower is not None and FOLLOWS[follower.name][0] == name:
            if self._held is not None and len(blob.data) < HELD_BYTES:
                self._release(folder)
                self._add(path, blob)
                return
            del self._followers[folder]
            self._submit(kind_of(path, len(blob.data)), [blob, follower.blob], follower.name)
            return
        self._add(path, blob)

    def hold(self) -> None:
        """From here on the small files of positions wait: a large group will say how it lists them."""
        self._held = Held()

    def release(self, order: Iterable[str] = ()) -> None:
        """Frame what waits, by the order of its positions: who reads some neighbours will read few frames."""
        if self._held is None:
            return
        for folder in list(self._followers):
            self._release(folder)
        held, self._held = self._held, None
        for name, blob in held.take(order):
            self._share(kind_of(f"data/-/{name}", len(blob.data)), blob, HELD_FRAME_BYTES)
        held.close()

    def _release(self, folder: str) -> None:
        """The member that this one follows from is not new, or not there: on its own, then."""
        follower = self._followers.pop(folder)
        self._add(follower.path, follower.blob)

    def _add(self, path: str, blob: NewBlob) -> None:
        size = len(blob.data)
        position, name = (None, "") if self._held is None else position_and_name(path)
        if (
            self._held is not None
            and position is not None
            and size < HELD_BYTES
            and self._held.add(position, name, blob)
        ):
            return
        if size >= ALONE_BYTES:
            self._submit(kind_of(path, size), [blob])
        elif position is not None and size >= HELD_BYTES:
            self._line_up(kind_of(path, size), blob)
        else:
            self._share(kind_of(path, size), blob, FRAME_BYTES)

    def _line_up(self, kind: Kind, blob: NewBlob) -> None:
        """A frame of its own, beside others of its kind: who reads a map's spectra alone makes one request a window.

        A pull, which reads a window at once, still finds it in one piece.
        """
        self._runs.setdefault(kind, []).append(blob)

    def _end_runs(self) -> None:
        for kind, blobs in self._runs.items():
            for blob in blobs:
                self._submit(kind, [blob])
        self._runs.clear()
        self._window = 0

    def _share(self, kind: Kind, blob: NewBlob, most: int) -> None:
        group = self._groups.setdefault(kind, _FrameGroup())
        if group.size + len(blob.data) > most or len(group.blobs) >= _MAX_GROUP:
            self._flush(kind)
            group = self._groups.setdefault(kind, _FrameGroup())
        group.blobs.append(blob)
        group.size += len(blob.data)
        self._waiting += len(blob.data)
        if self._waiting > _PENDING_BYTES:
            self._flush(max(self._groups, key=lambda other: self._groups[other].size))

    def flush(self) -> None:
        """Make frames of all that waits, and place them."""
        for folder in list(self._followers):
            self._release(folder)
        self._end_runs()
        for kind in list(self._groups):
            self._flush(kind)
        self._end_job()
        self._pool.drain()

    def close(self) -> None:
        """Stop the threads."""
        self._pool.abort()
        if self._held is not None:
            self._held.close()

    def _flush(self, kind: Kind) -> None:
        group = self._groups.pop(kind)
        self._waiting -= group.size
        self._submit(kind, group.blobs)

    def _submit(self, kind: Kind, blobs: Sequence[NewBlob], follower: str | None = None) -> None:
        """Have a frame made: some to a job, for handing one over costs as much as a tenth of making it."""
        self._run.append(_Framing(kind, blobs, follower))
        self._run_bytes += sum(len(blob.data) for blob in blobs)
        if self._run_bytes >= JOB_BYTES:
            self._end_job()

    def _end_job(self) -> None:
        run, self._run, self._run_bytes = self._run, [], 0
        if run:
            self._pool.submit(lambda: [self._encode(*framing) for framing in run])

    def _encode(self, kind: Kind, blobs: Sequence[NewBlob], follower: str | None = None) -> _EncodedFrame:
        parts = [blob.data for blob in blobs]
        if follower is None:
            pipeline = self._chooser.choose(kind, parts)
        else:
            _, width, stride = FOLLOWS[follower]
            plain, sums = self._chooser.choose(kind, parts[:1]), codecs.ColumnSums(width, stride)
            pipeline = replace(plain, tail=len(parts[1]), sums=sums) if not plain.tail else plain
        raw = parts[0] if len(parts) == 1 else b"".join(parts)
        pipeline, payload = codecs.encode_or_raw(pipeline, raw)
        # Proved before it is trusted: a codec that errs must never cost a spectrum.
        if codecs.decode(pipeline, payload, len(raw)) != raw:
            pipeline, payload = codecs.RAW, raw
        return _EncodedFrame(kind, blobs, frame.seal(pipeline.descriptor, [len(part) for part in parts], payload))

    def _place_all(self, encoded: Sequence[_EncodedFrame]) -> None:
        for item in encoded:
            self._place(item)

    def _place(self, encoded: _EncodedFrame) -> None:
        sizes = [len(blob.data) for blob in encoded.blobs]
        digests = [blob.digest for blob in encoded.blobs]
        hint = self._packer.place(encoded.kind.pack, encoded.frame, digests, sizes)
        offset, raw = 0, sum(sizes)
        for blob, size in zip(encoded.blobs, sizes, strict=True):
            self._placed(blob.number, hint._replace(blob_offset=offset), len(encoded.frame) * size // raw)
            offset += size
