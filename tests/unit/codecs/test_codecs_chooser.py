"""The choice by trial: what it finds in arrays nobody described, and that it is kept."""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sxeslake.codecs import RAW, Chooser, Pipeline, decode, encode
from sxeslake.model import PRESETS, Preset

_RANDOM = np.random.default_rng(20240501)
_COLUMNS, _ROWS = np.meshgrid(np.arange(600), np.arange(120))
_IMAGE = _RANDOM.poisson(100 + 1000 * np.exp(-((_COLUMNS - 250.0) ** 2) / 9000) * (1.2 + np.sin(_ROWS / 9)))
_CURVE = np.cumsum(_RANDOM.normal(size=(3, 9000)), axis=1).astype("<f4")


def _choose(*blobs: bytes) -> tuple[Pipeline, float]:
    """The pipeline for these blobs and the ratio it reaches on them, after a round trip."""
    pipeline = Chooser().choose("kind", blobs)
    raw = b"".join(blobs)
    payload = encode(pipeline, raw)
    assert decode(pipeline.descriptor, payload, len(raw)) == raw
    return pipeline, len(payload) / max(1, len(raw))


def test_an_image_behind_a_header_of_odd_length_is_found() -> None:
    pipeline, ratio = _choose(b"MAGIC" + _IMAGE.astype("<u4").tobytes())
    assert pipeline.head % 4 == 1
    assert "4x600" in pipeline.descriptor
    assert ratio < 0.25


def test_a_long_text_header_is_set_apart() -> None:
    header = b"\n".join(b"channel %d = detector %d" % (n, n * n) for n in range(60)).ljust(2048)
    pipeline, ratio = _choose(header[:2048] + _RANDOM.normal(size=5000).cumsum().astype("<f8").tobytes())
    assert pipeline.head >= 1024
    assert ratio < 0.9


def test_float32_values_kept_as_float64_lose_their_empty_half() -> None:
    pipeline, ratio = _choose(*(curve.astype("<f8").tobytes() for curve in _CURVE))
    assert ":q29" in pipeline.descriptor or pipeline.descriptor == "pco:f8:8"
    assert ratio < 0.45


@pytest.mark.parametrize("element", ["u1", "u2", "i4", "u8"])
def test_smooth_integers_of_any_width_shrink(element: str) -> None:
    steps = (
        _RANDOM.integers(-3, 4, 30_000).cumsum() % 200 if element == "u1" else _RANDOM.integers(0, 9, 30_000).cumsum()
    )
    assert _choose(steps.astype("<" + element).tobytes())[1] < 0.5


def test_text_stays_with_zstd() -> None:
    pipeline, ratio = _choose(*(b'{"uuid":"%032x","comment":"Pos. : %d"}' % (n**9, n) for n in range(500)))
    assert pipeline.coder.name == "zstd"
    assert ratio < 0.3


def test_what_is_compressed_already_stays_raw() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image", _IMAGE.astype("<u4").tobytes())
    assert _choose(packed.getvalue())[0] == RAW
    assert _choose(_RANDOM.bytes(2048))[0] == RAW


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 1023, 1024, 1025, 4099])
@pytest.mark.parametrize("fill", ["zero", "ramp", "noise"])
def test_no_size_is_too_small(size: int, fill: str) -> None:
    data = {"zero": bytes(size), "ramp": (bytes(range(256)) * 17)[:size], "noise": _RANDOM.bytes(size)}[fill]
    _choose(data)


def test_a_choice_is_kept_per_kind() -> None:
    chooser = Chooser()
    first = chooser.choose(("xes.data", 8), [_IMAGE.astype("<u4").tobytes()])
    assert chooser.choose(("xes.data", 8), [_RANDOM.bytes(100)]) is first
    assert chooser.choose(("xes.data", 9), [_RANDOM.bytes(100)]) == RAW
    assert chooser.choose(("qlw.data", 8), [bytes(4000)]) != first


def test_threads_agree() -> None:
    chooser = Chooser()
    samples = [_IMAGE.astype("<u4").tobytes(), _RANDOM.bytes(5000), bytes(5000), b"text " * 500]
    barrier = threading.Barrier(len(samples))
    found: list[Pipeline] = []

    def choose(sample: bytes) -> None:
        barrier.wait()
        found.append(chooser.choose("kind", [sample]))

    threads = [threading.Thread(target=choose, args=(sample,)) for sample in samples]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(samples)
    assert len(set(found)) == 1


def test_the_same_samples_give_the_same_choice() -> None:
    samples = [_IMAGE.astype("<u4").tobytes()]
    assert len({Chooser().choose(n, samples) for n in range(3)}) == 1


@pytest.mark.parametrize(
    ("name", "limit"), [("xes.data", 0.307), ("qlw.data", 0.308), ("backgrounds/", 0.187), ("sum.data", 1.0)]
)
def test_real_spectra_reach_their_ratio(real_archive: Path, name: str, limit: float) -> None:
    with zipfile.ZipFile(real_archive) as archive:
        members = [member for member in archive.namelist() if name in member and not member.endswith("/")]
        blobs = [archive.read(member) for member in members]
    pipeline = Chooser().choose(name, blobs[:3])
    payloads = [encode(pipeline, blob) for blob in blobs]
    assert [decode(pipeline, payload, len(blob)) for payload, blob in zip(payloads, blobs, strict=True)] == blobs
    assert sum(map(len, payloads)) <= limit * sum(map(len, blobs))


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_gives_back_what_it_got(preset: Preset) -> None:
    raw = b"MAGIC---" + _IMAGE.astype("<u4").tobytes()
    pipeline = Chooser(preset).choose("kind", [raw])
    assert decode(pipeline.descriptor, encode(pipeline, raw), len(raw)) == raw


def test_a_preset_with_more_time_takes_fewer_bytes() -> None:
    image, text = _IMAGE.astype("<u4").tobytes(), b'{"uuid":"%032x","comment":"Pos. : %d"}'
    words = b"".join(text % (number**9, number) for number in range(900))
    for raw in (image, words):
        fast, balanced, small = (len(encode(Chooser(preset).choose("kind", [raw]), raw)) for preset in PRESETS)
        assert fast > balanced > small


@pytest.mark.parametrize("taps", [1, 2, 4, 8])
@pytest.mark.parametrize("count", [0, 1, 63, 64, 257, 258, 259, 260, 264, 511, 34_817, (1 << 18) + 1])
def test_fitted_weights_take_arrays_of_any_length(taps: int, count: int) -> None:
    raw = _RANDOM.poisson(50, count).astype("<i4").tobytes()
    for chunks in ("", ":c3"):
        descriptor = f"pco:i4:3:v{taps}{chunks}"
        assert decode(descriptor, encode(Pipeline.parse(descriptor), raw), len(raw)) == raw
