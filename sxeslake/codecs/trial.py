"""The choice of a pipeline by trial: the one that makes a sample of a kind of blob smallest, of those worth their time.

Vendor formats of this field are arrays behind a header. So the element's width and its alignment are searched first, by
coding a short stretch as each; then the row length, as the distance at which numbers resemble each other most; then
whole pipelines are tried on the sample. The bytes decide: no name, suffix or magic number is looked at.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sxeslake.codecs.effort import EFFORTS, Effort
from sxeslake.codecs.filters import Delta, Transpose
from sxeslake.codecs.pco import MANTISSA_BITS, WIDEST_FITTED, Pco
from sxeslake.codecs.pipeline import Pipeline, encode
from sxeslake.codecs.raw import Raw
from sxeslake.codecs.zstd import Zstd
from sxeslake.model import Preset

SAMPLE_BYTES = 160 * 1024  # an image of the field's usual detector, whole; some 40 ms of trials
ENOUGH_BYTES = 64 * 1024  # blobs below this share a frame: then the sample is several of them
FEWEST_BYTES = 1024  # below this the sample says too little about numbers
PROBE_BYTES = 24 * 1024  # enough to tell one element type from another
PROBE_LEVEL = 3
QUICK_LEVEL = 3
NEXT_TO_NOTHING = 1.0005
CHUNKS = 3  # columns of like intensity, so of like noise, share statistics: 1 % on spectra; more chunks, more headers
HEADERS = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
WIDTHS = (1, 2, 4, 8)
SHORTEST_ROW = 8
ROWS_NUMBERS = 1 << 15  # enough to see a row of some ten thousand numbers repeat


class Chooser:
    """Chooses a pipeline for each kind of blob once; safe to call from many threads."""

    def __init__(self, preset: Preset = "balanced") -> None:
        self._preset: Preset = preset
        self._lock = threading.Lock()
        self._chosen: dict[Hashable, Pipeline] = {}

    def choose(self, kind: Hashable, samples: Sequence[bytes]) -> Pipeline:
        """The pipeline of that kind: found by trial on these samples, or, from the second call on, the same again."""
        chosen = self._chosen.get(kind)
        if chosen is None:
            # Two threads may try the same kind at once: the first to finish decides, nobody waits for another kind.
            found = best_pipeline(samples, self._preset)
            with self._lock:
                chosen = self._chosen.setdefault(kind, found)
        return chosen


def best_pipeline(blobs: Iterable[bytes], preset: Preset = "balanced") -> Pipeline:
    """The pipeline for blobs like these, `raw` where nothing makes them smaller."""
    effort = EFFORTS[preset]
    trial = _Trial(_sample(blobs), effort)
    trial.run(Pipeline(Zstd(level)) for level in dict.fromkeys((QUICK_LEVEL, effort.text_level)))
    if len(trial.sample) < FEWEST_BYTES or _is_text(trial.sample):
        return trial.best
    for width, head in _alignments(trial.sample):
        trial.run(_plain_numbers(width, head, trial.sample, effort))
        trial.run(_images(width, head, trial.sample, effort))
    trial.run(Pipeline(Zstd(QUICK_LEVEL), (Transpose(1, width),)) for width in (2, 4, 8))
    trial.run(_headers(trial.best, len(trial.sample)))
    return trial.trimmed() if effort.trims else trial.best


class _Trial:
    """A sample, and the best pipeline for it so far."""

    def __init__(self, sample: bytes, effort: Effort) -> None:
        self.sample = sample
        self.best = Pipeline(Raw())
        self._size: float = len(sample)
        self._worth = effort.worth

    def run(self, pipelines: Iterable[Pipeline]) -> None:
        """Try these, the cheap ones first."""
        for pipeline in pipelines:
            size = len(encode(pipeline, self.sample))
            if size < self._size * self._worth:
                self.best, self._size = pipeline, size

    def trimmed(self) -> Pipeline:
        """The best pipeline, a level lower where that costs next to nothing."""
        if isinstance(self.best.coder, Pco):
            lower = replace(self.best, coder=replace(self.best.coder, level=self.best.coder.level - 1))
            if len(encode(lower, self.sample)) < self._size * NEXT_TO_NOTHING:
                return lower
        return self.best


def _sample(blobs: Iterable[bytes]) -> bytes:
    """What a frame of these would hold, at most SAMPLE_BYTES: one large blob, or several small ones."""
    taken = b""
    for blob in blobs:
        taken += blob[:SAMPLE_BYTES]
        if len(taken) >= ENOUGH_BYTES:
            break
    return taken


def _is_text(sample: bytes) -> bool:
    """No control bytes but white space: numbers need not be looked for."""
    octets = np.frombuffer(sample, np.uint8)
    return not bool(np.any((octets < 32) & (octets != 9) & (octets != 10) & (octets != 13)))


def _alignments(sample: bytes) -> list[tuple[int, int]]:
    """The likeliest widths of elements, each with the bytes before the first one: `[(4, 0)]`.

    Constant low bytes make a shifted array look better than it is, so the best unshifted one is always in the list.
    """
    start = max(0, (len(sample) - PROBE_BYTES) // 2) // 8 * 8
    probe = sample[start : start + PROBE_BYTES]
    length = (len(probe) - 8) // 8 * 8
    sizes = {
        (width, head): len(Pco(f"u{width}", PROBE_LEVEL, 1).encode(probe[head : head + length]))
        for width in WIDTHS
        for head in range(width)
    }
    ranked = sorted(sizes, key=lambda key: sizes[key])
    unshifted = [key for key in ranked if key[1] == 0]
    return list(dict.fromkeys((unshifted[0], ranked[0])))


def _plain_numbers(width: int, head: int, sample: bytes, effort: Effort) -> Iterator[Pipeline]:
    """What suits a series of numbers of that width behind that many bytes."""
    kinds = "u" if width == 1 else "uf"
    quantum = _spare_bits(width, np.frombuffer(sample, f"<u{width}", (len(sample) - head) // width, head))
    for kind in kinds:
        bits = quantum if kind == "f" else None
        yield from (Pipeline(Pco(f"{kind}{width}", effort.level, order, bits), (), head) for order in (0, 1, 2))
    if len(effort.taps) > 1 and width <= WIDEST_FITTED:
        yield from (Pipeline(Pco(f"i{width}", effort.level, taps=taps), (), head) for taps in effort.taps)
    yield from (Pipeline(Pco(f"{kind}{width}", effort.level), (), head) for kind in kinds)


def _images(width: int, head: int, sample: bytes, effort: Effort) -> Iterator[Pipeline]:
    """What suits rows of numbers: differences to the pixel above and to the left; columns in chunks of their own."""
    plain = Pco(f"i{width}", effort.level, 0, None, CHUNKS)
    for stride in _row_lengths(np.frombuffer(sample, f"<u{width}", (len(sample) - head) // width, head)):
        above, left, turned = Delta(width, stride), Delta(width, 1), Transpose(width, stride)
        if width <= WIDEST_FITTED:
            for taps in effort.taps:
                yield Pipeline(replace(plain, order=None, taps=taps), (left, turned), head)
        for filters in ((turned,), (above, turned), (left, turned), (above, left, turned)):
            yield Pipeline(plain, filters, head)


def _headers(best: Pipeline, size: int) -> Iterator[Pipeline]:
    """The same pipeline behind a longer header."""
    for header in HEADERS:
        if isinstance(best.coder, Pco) and header * 4 <= size:
            yield replace(best, head=best.head + header)


def _spare_bits(width: int, numbers: npt.NDArray[np.unsignedinteger]) -> int | None:
    """How many low bits of every float's mantissa are zero, 29 for float32 values kept as float64; None below 8."""
    used = int(np.bitwise_or.reduce(numbers))
    spare = (used & -used).bit_length() - 1
    return spare if 8 <= spare <= MANTISSA_BITS.get(f"f{width}", 0) else None


def _row_lengths(numbers: npt.NDArray[np.unsignedinteger]) -> list[int]:
    """The likeliest lengths of a row, at most two: where the numbers, and where their slopes, repeat best."""
    values = numbers[:ROWS_NUMBERS].astype(np.float64)
    low, high = np.quantile(values, (0.01, 0.99))  # single spikes would look like rows
    values = np.clip(values, low, high)
    return list(dict.fromkeys([*_period(values), *_period(np.diff(values))]))


def _period(values: npt.NDArray[np.float64]) -> list[int]:
    """The distance at which a series is most like itself, if there is one: the highest peak of its autocorrelation.

    Neighbours are alike without being a row apart, so the search begins where the likeness has once been gone. The
    products are summed, not averaged: of a row and its multiples, which are alike, the shortest wins.
    """
    values = values - values.mean()
    spectrum = np.fft.rfft(values, 1 << (2 * len(values) - 1).bit_length())
    likeness = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)[: len(values) // 3]
    gone = np.flatnonzero(likeness < 0)
    start = max(SHORTEST_ROW, int(gone[0]) if len(gone) else 0)
    return [start + int(np.argmax(likeness[start:]))] if start < len(likeness) else []
