"""Which encoders made a file's units: candidates by likelihood, tried on a few of them."""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final, NamedTuple

from sxeslake.archive import deflate
from sxeslake.archive.exact import encoders, programs
from sxeslake.archive.exact.skeleton import INFOZIP_HINT, SEVENZIP_HINT, PackMethod
from sxeslake.archive.exact.spec import MAX_DICTIONARY_BYTES, STORE, Spec
from sxeslake.archive.ranged_file import RangedFile
from sxeslake.disk.trouble import scratch_told
from sxeslake.errors import UnsupportedMethodError
from sxeslake.model import KIB, MIB

LARGE_BYTES: Final = 1 * MIB  # writers may treat larger contents in another way: they are tried by themselves
PREFIX_BYTES: Final = 512 * KIB  # of a content that is larger: what comes of its first part must agree
DEFLATE_PREFIX_BYTES: Final = 1536 * KIB  # deflate is quicker to try, and our own blocks must show
_AGREEING: Final = 0.25  # of what comes of a prefix: its last block is cut short, and differs
_AGREEING_LZMA_BYTES: Final = 4 * KIB  # or so much: hash tables of 7-Zip are as large as what it is given
_TELLING_BYTES: Final = 8 * KIB  # below this, many encoders agree
_LEAST_AGREEING_BYTES: Final = 1 * KIB
_FEED_BYTES: Final = 32 * KIB  # then what has come is compared: most candidates fail early
_HINTED_LEVELS: Final = {0: (6, 7, 5, 8, 4, 3), 2: (9, 8), 4: (2, 3), 6: (1,)}  # by zip's flags for the level's class
_MAX_LIBLZMA_DICTIONARY_BYTES: Final = 32 * MIB  # × 12 is what an encoder takes of this process's memory
_LZMA2_HEAD_BYTES: Final = 6
_LZMA_LEVELS: Final = (5, 1, 7)  # one of each class of 7-Zip's: 5–6, 1–4, 7–9 encode alike
_OUR_BLOCKS: Final = ((MIB, 0), (4 * MIB, 1))  # of our zip and 7z writers; see there
_OUR_LZMA2_BLOCKS: Final = {level: (8 if level <= 6 else 16) * MIB for level in range(4, 10)}


class Sample(NamedTuple):
    """A unit to try encoders on: its content, or the first part of it; its packed bytes; how long the whole is."""

    method: PackMethod
    content: bytes
    packed: bytes
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether the content is all of it."""
        return len(self.content) == self.size


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """Encoders that made samples of a method, the best first, and how fast that one was here."""

    specs: tuple[Spec, ...]
    bytes_per_second: float


def of_these(specs: Sequence[Spec], samples: Sequence[Sample]) -> EncoderChoice | None:
    """The first of some encoders that gives all samples of one method; None where none of them does."""
    method, size = samples[0].method, max(sample.size for sample in samples)
    for spec in specs:
        if spec.program is None and spec in in_process(method, size):
            result = _tried(spec, samples)
        elif spec.program is not None and spec in in_programs(method, size) and programs.missing(spec) is None:
            result = _tried_by_program(spec, samples)
        else:
            continue
        if len(result.hits) == len(samples):
            return EncoderChoice((spec,), result.bytes_per_second)
    return None


def choose(samples: Sequence[Sample], deadline: float) -> EncoderChoice:
    """The encoders that give the packed bytes of samples of one method, the best first; none where nothing does."""
    found: list[_TrialResult] = []
    trials = (_in_programs, _in_process) if _by_programs(samples[0].method) else (_in_process, _in_programs)
    for trial in trials:
        if found and monotonic() > deadline:
            break
        for result in trial(samples):
            found.append(result)
            if result.is_certain(samples) or monotonic() > deadline:
                break
        if len(set().union(*(result.hits for result in found))) == len(samples):
            break  # every sample is explained: the slower kind of encoders is not asked
    best = sorted((result for result in found if result.hits), key=lambda result: (-len(result.hits), -result.score))
    return EncoderChoice(tuple(result.spec for result in best), best[0].bytes_per_second if best else 0.0)


def _by_programs(method: PackMethod) -> bool:
    """Whether a program is the likeliest encoder: it takes 30 ms to try, as ten of this process do."""
    return method.name.startswith("lzma") or bool(method.hint & SEVENZIP_HINT)


class _TrialResult(NamedTuple):
    """What a candidate gave: the samples that agree, how many bytes of them do, and how fast it was."""

    spec: Spec
    hits: set[int]
    score: int
    bytes_per_second: float

    def is_certain(self, samples: Sequence[Sample]) -> bool:
        """Whether no better candidate can come."""
        return len(self.hits) == len(samples) and (self.spec.program is None or all(item.is_whole for item in samples))


def _in_process(samples: Sequence[Sample]) -> Iterator[_TrialResult]:
    for spec in in_process(samples[0].method, max(sample.size for sample in samples)):
        yield _tried(spec, samples)


def _tried(spec: Spec, samples: Sequence[Sample]) -> _TrialResult:
    began, hits, tried = monotonic(), set[int](), 0
    for number, sample in enumerate(samples):
        tried += len(sample.content)
        if makes(spec, sample):
            hits.add(number)
        elif not hits:
            break  # the samples come the most telling first: what fails the first will not serve
    return _TrialResult(spec, hits, 0, _rate(tried, monotonic() - began))


def in_process(method: PackMethod, size: int) -> Iterator[Spec]:
    """Candidates that this process can run, the likeliest first."""
    if method.name == "store":
        yield STORE
    elif method.name == "deflate":
        yield from filter(_usable, _deflate(method.hint & 6, size))
    elif method.name in {"lzma", "lzma2"}:
        yield from _liblzma(method)


def _usable(spec: Spec) -> bool:
    return encoders.missing(spec) is None


def _deflate(hint: int, size: int) -> Iterator[Spec]:
    first = _HINTED_LEVELS[hint]
    levels = (*first, *(level for level in range(1, 10) if level not in first))
    yield Spec("zlib", (levels[0], 8, 0))
    if size <= encoders.WHOLE_BYTES:
        yield from (Spec("isal", (level,)) for level in (3, 1, 2, 0))
    for block, whole_tail in _OUR_BLOCKS:
        if size > block:
            yield from (Spec("blocks", (level, block, whole_tail)) for level in reversed(deflate.ISAL_LEVELS))
    yield from (Spec("zlib", (level, 8, 0)) for level in levels[1:])
    yield from (Spec("zlib", (level, 9, 0)) for level in levels)
    if size > MIB:
        yield from (Spec("blocks", (level, MIB, 0)) for level in range(4, 10))
    yield from (Spec("zlib", (level, 8, strategy)) for level in (6, 9) for strategy in (1, 2, 3, 4))
    yield Spec("zlib", (0, 8, 0))


def _liblzma(method: PackMethod) -> Iterator[Spec]:
    found = _lzma_settings(method)
    if found is None:
        return
    kind, dictionary, bits = found
    if dictionary > _MAX_LIBLZMA_DICTIONARY_BYTES:
        return
    if method.name == "lzma2" and not method.x86:
        yield from (Spec("lzma2-blocks", (level, block)) for level, block in _OUR_LZMA2_BLOCKS.items())
    for extreme in (0, 1):
        for preset in (7, 6, 5, 9, 1, 3, 0, 2, 4, 8):
            yield Spec("liblzma", (kind, preset, dictionary, *bits, extreme, int(method.x86)))


def _lzma_settings(method: PackMethod) -> tuple[int, int, tuple[int, int, int]] | None:
    """LZMA (1) or LZMA2 (2), the dictionary, and lc, lp, pb."""
    bits = (3, 0, 2)
    if method.name == "lzma2":
        step = method.properties[0]
        dictionary = (2 | step & 1) << step // 2 + 11 if step < 40 else 0xFFFF_FFFF
    else:
        packed = method.properties[0]
        bits = (packed % 9, packed // 9 % 5, packed // 45)
        dictionary = int.from_bytes(method.properties[1:5], "little")
    if not 0 < dictionary <= MAX_DICTIONARY_BYTES or bits[2] > 4:
        return None
    return 2 if method.name == "lzma2" else 1, dictionary, bits


def makes(spec: Spec, sample: Sample) -> bool:
    """Whether an encoder of this process gives a sample's packed bytes; of a prefix, whether what is ready agrees."""
    made = bytearray()
    view = memoryview(sample.content)
    try:
        encoder = encoders.open_encoder(spec)
        for at in range(0, len(view), _FEED_BYTES):
            made += encoder.feed(bytes(view[at : at + _FEED_BYTES]))
            if not sample.packed.startswith(made):
                return False
        agreed = len(made)
        made += encoder.finish()
    except (UnsupportedMethodError, lzma.LZMAError):
        return False
    if sample.is_whole:
        return made == sample.packed
    return agreed >= _LEAST_AGREEING_BYTES or bool(_agreement(made, sample))


def _agreement(made: bytes | bytearray, sample: Sample) -> int:
    """How many bytes agree, 0 where too few do. The end of what comes of a prefix differs: it was cut short."""
    if sample.is_whole:
        return len(made) if made == sample.packed else 0
    skip = _LZMA2_HEAD_BYTES if sample.method.name == "lzma2" else 0  # it tells the length of the first chunk
    agreed = _common(made[skip:], sample.packed[skip:])
    enough = int(_AGREEING * len(made))
    if sample.method.name.startswith("lzma"):
        enough = min(enough, _AGREEING_LZMA_BYTES)
    return agreed if agreed >= max(_LEAST_AGREEING_BYTES, enough) else 0


def _common(one: bytes | bytearray, other: bytes) -> int:
    """How many bytes two strings share from their start."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


# programs: all samples in one call


def _in_programs(samples: Sequence[Sample]) -> Iterator[_TrialResult]:
    for spec in in_programs(samples[0].method, max(sample.size for sample in samples)):
        if programs.missing(spec) is None:
            yield _tried_by_program(spec, samples)


def _tried_by_program(spec: Spec, samples: Sequence[Sample]) -> _TrialResult:
    began = monotonic()
    agreed = _made_by_program(spec, samples)
    seconds = monotonic() - began
    hits = {number for number, count in enumerate(agreed) if count}
    return _TrialResult(spec, hits, sum(agreed), _rate(sum(len(sample.content) for sample in samples), seconds))


def _rate(count: int, seconds: float) -> float:
    """Bytes a second; never 0, also where all that was tried is empty."""
    return max(1, count) / max(1e-6, seconds)


def in_programs(method: PackMethod, size: int) -> Iterator[Spec]:
    """Candidates that are programs, the likeliest first."""
    if method.name == "deflate":
        first = _HINTED_LEVELS[method.hint & 6]
        levels = (*first, *(level for level in range(1, 10) if level not in first))
        infozip = [Spec("infozip", (level,)) for level in levels]
        sevenzip = [Spec("7zip-deflate", (level,)) for level in (5, 1, 9, 7)]
        yield from infozip + sevenzip if method.hint & INFOZIP_HINT else sevenzip + infozip
    elif method.name in {"lzma", "lzma2"} and not method.x86 and (found := _lzma_settings(method)):
        kind, dictionary, bits = found
        chunk = max(MIB, min(4 * dictionary, 256 * MIB), dictionary)  # what 7-Zip cuts where it has many threads
        for level in _LZMA_LEVELS:
            yield Spec("7zip-lzma", (kind, level, dictionary, *bits, 0))
            if kind == 2 and size > chunk:
                yield Spec("7zip-lzma", (kind, level, dictionary, *bits, -(-chunk // MIB) * MIB))


def _made_by_program(spec: Spec, samples: Sequence[Sample]) -> list[int]:
    """How many bytes of each sample a program gives."""
    with scratch_told(), TemporaryDirectory(prefix="sxeslake-exact-") as scratch:
        folder = Path(scratch) / "samples"
        folder.mkdir()
        for number, sample in enumerate(samples):
            (folder / programs.file_name(number)).write_bytes(sample.content)
        try:
            made, places = programs.pack_files(spec, folder, len(samples))
        except UnsupportedMethodError:
            return [0] * len(samples)
        file = RangedFile(made)
        try:
            packed = [file.read(place.offset, place.size) for place in places]
        finally:
            file.close()
    return [_agreement(data, sample) for data, sample in zip(packed, samples, strict=True)]


def screen(spec: Spec, sample: Sample) -> bool:
    """Whether it is worth making the whole unit with an encoder."""
    if spec.program is not None:
        return _made_by_program(spec, [sample])[0] > 0
    return makes(spec, sample)


def prefix_bytes(method: PackMethod) -> int:
    """How much of a large content is tried."""
    return DEFLATE_PREFIX_BYTES if method.name == "deflate" else PREFIX_BYTES


def pick(sizes: Iterable[tuple[int, int]], wanted: int) -> list[int]:
    """Of units (number, bytes) those to try on: large enough to tell encoders apart, small enough to be quick."""
    known = sorted(sizes, key=lambda item: item[1])
    handy = [number for number, size in known if size <= 256 * KIB]
    if not handy:
        return [known[0][0]] if known else []
    size_of = dict(known)
    places = {len(handy) - 1 - step * (len(handy) - 1) // max(1, wanted - 1) for step in range(wanted)}
    chosen = [handy[place] for place in places]
    return sorted(chosen, key=lambda number: (size_of[number] < _TELLING_BYTES, size_of[number]))


def candidates(method: PackMethod, size: int, first: Sequence[Spec]) -> list[Spec]:
    """Every encoder worth trying on units of a method that resist: `first`, then the others."""
    inside, outside = list(in_process(method, size)), list(in_programs(method, size))
    known = [*outside, *inside] if _by_programs(method) else [*inside, *outside]
    runnable = [spec for spec in known if programs.missing(spec) is None]
    return list(dict.fromkeys((*first, *runnable)))
