"""Contents in, packed units out: in order, in threads or in programs, in bounded memory."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO, Final, Protocol

from sxeslake.archive.exact import encoders, programs
from sxeslake.archive.exact.spec import STORE, Spec
from sxeslake.archive.ranged_file import RangedFile
from sxeslake.closing import Finishing
from sxeslake.disk.trouble import scratch_told
from sxeslake.machine.concurrency import OrderedPool
from sxeslake.model import MIB

RUN_BYTES: Final = 2 * MIB  # of small contents to one thread
RUN_UNITS: Final = 1024
BATCH_BYTES: Final = 64 * MIB  # of contents to one run of a program: long enough to hide its start
BATCH_UNITS: Final = 4096
BATCHES_IN_FLIGHT: Final = 2  # they lie on disk, and each program uses all processors
COPY_BYTES: Final = MIB
HEAVY_BYTES: Final = 100 * MIB  # encoders that take this much memory run one at a time


class Sink(Protocol):
    """Takes packed units, one after the other, in the thread that packs."""

    def begin(self, unit: int) -> None:
        """A unit starts."""

    def part(self, data: bytes) -> None:
        """The next packed bytes of it."""

    def end(self) -> None:
        """It is whole."""


@dataclass(slots=True)
class _EncodedRun:
    """Small contents that one thread encodes."""

    units: list[tuple[int, Spec, bytes]] = field(default_factory=list)
    size: int = 0


@dataclass(slots=True)
class _FileBatch:
    """Contents in files, for one run of a program."""

    spec: Spec
    folder: Path
    units: list[int] = field(default_factory=list)
    size: int = 0


_Delivery = Callable[[], None]


class Packing(Finishing):
    """Encodes contents in the order they come; the sink hears of them in that order."""

    def __init__(self, sink: Sink, *, threads: int | None = None) -> None:
        self._sink = sink
        self._pool: OrderedPool[_Delivery] = OrderedPool(lambda deliver: deliver(), threads=threads)
        self._heavy = threading.Lock()
        self._scratch: Path | None = None
        self._run = _EncodedRun()
        self._batch: _FileBatch | None = None
        self._batches = 0
        self._unit, self._spec, self._held = 0, STORE, list[bytes]()
        self._encoder: encoders.Encoder | None = None
        self._file: BinaryIO | None = None

    def begin(self, unit: int, spec: Spec, size: int) -> None:
        """A content of `size` bytes follows."""
        self._unit, self._spec, self._held = unit, spec, []
        if spec.program is not None:
            self._begin_file(spec, size)
        elif size > encoders.WHOLE_BYTES and encoders.streams(spec):
            self._drain()
            self._encoder = encoders.open_encoder(spec)
            self._sink.begin(unit)

    def write(self, data: bytes) -> None:
        """Its next bytes."""
        if self._file is not None:
            with scratch_told():
                self._file.write(data)
        elif self._encoder is not None:
            if packed := self._encoder.feed(data):
                self._sink.part(packed)
        else:
            self._held.append(data)

    def end(self) -> None:
        """It is whole."""
        if self._file is not None:
            with scratch_told():
                self._file.close()
            self._file = None
        elif self._encoder is not None:
            self._sink.part(self._encoder.finish())
            self._sink.end()
            self._encoder = None
        else:
            self._add_to_run(self._held[0] if len(self._held) == 1 else b"".join(self._held))

    def close(self) -> None:
        """Wait until the sink has everything."""
        try:
            self._drain()
        finally:
            self.abort()

    def abort(self) -> None:
        """Stop, and leave no scratch file behind."""
        self._pool.abort()
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    # in this process

    def _add_to_run(self, content: bytes) -> None:
        if self._batch is not None:
            self._flush_batch()
        self._run.units.append((self._unit, self._spec, content))
        self._run.size += len(content)
        if self._run.size >= RUN_BYTES or len(self._run.units) >= RUN_UNITS:
            self._flush_run()

    def _flush_run(self) -> None:
        if self._run.units:
            self._pool.submit(self._encode, self._run)
            self._run = _EncodedRun()

    def _encode(self, run: _EncodedRun) -> _Delivery:
        packed = []
        for unit, spec, content in run.units:
            with self._turn(spec):
                packed.append((unit, encoders.pack(spec, content)))
        return partial(self._deliver, packed)

    def _turn(self, spec: Spec) -> AbstractContextManager[object]:
        return self._heavy if encoders.encoder_bytes(spec) > HEAVY_BYTES else nullcontext()

    def _deliver(self, packed: list[tuple[int, bytes]]) -> None:
        for unit, data in packed:
            self._sink.begin(unit)
            self._sink.part(data)
            self._sink.end()

    # in programs

    def _begin_file(self, spec: Spec, size: int) -> None:
        batch = self._batch
        if batch is not None and (
            batch.spec != spec or batch.size + size > BATCH_BYTES or len(batch.units) >= BATCH_UNITS
        ):
            self._flush_batch()
        self._flush_run()
        if self._batch is None:
            self._batch = _FileBatch(spec, self._new_folder())
        number = len(self._batch.units)
        self._batch.units.append(self._unit)
        self._batch.size += size
        with scratch_told():
            self._file = (self._batch.folder / programs.file_name(number)).open("wb")

    def _new_folder(self) -> Path:
        if self._scratch is None:
            with scratch_told():
                self._scratch = Path(mkdtemp(prefix="sxeslake-exact-"))
        self._batches += 1
        if self._batches % BATCHES_IN_FLIGHT == 0:
            self._pool.drain()
        folder = self._scratch / f"batch-{self._batches}"
        with scratch_told():
            folder.mkdir()
        return folder

    def _flush_batch(self) -> None:
        if self._batch is not None:
            self._pool.submit(self._call, self._batch)
            self._batch = None

    def _call(self, batch: _FileBatch) -> _Delivery:
        made, places = programs.pack_files(batch.spec, batch.folder, len(batch.units))
        shutil.rmtree(batch.folder, ignore_errors=True)
        return partial(self._deliver_file, batch.units, made, places)

    def _deliver_file(self, units: list[int], made: Path, places: list[programs.PackedPlace]) -> None:
        file = RangedFile(made)
        try:
            for unit, place in zip(units, places, strict=True):
                self._sink.begin(unit)
                for part in _parts(file, place):
                    self._sink.part(part)
                self._sink.end()
        finally:
            file.close()
            made.unlink()

    def _drain(self) -> None:
        if self._run.units and self._pool.is_idle and self._batch is None:
            run, self._run = self._run, _EncodedRun()
            self._encode(run)()  # a small archive is one run: no thread for it
        self._flush_run()
        self._flush_batch()
        self._pool.drain()


def _parts(file: RangedFile, place: programs.PackedPlace) -> Iterator[bytes]:
    for at in range(place.offset, place.offset + place.size, COPY_BYTES):
        yield file.read(at, min(COPY_BYTES, place.offset + place.size - at))
