"""Pipelines: one descriptor for one pipeline, and every byte back whatever the data."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.codecs import RAW, Pipeline, decode, encode, encode_or_raw
from sxeslake.codecs.filters import Delta, Transpose
from sxeslake.codecs.pco import Pco
from sxeslake.codecs.pipeline import MAX_RAW_BYTES
from sxeslake.codecs.zstd import Zstd
from sxeslake.errors import DamagedLakeError

DESCRIPTORS = (
    "raw",
    "zstd:3",
    "zstd:22",
    "head=12|tail=12|raw",
    "head=65|zstd:3",
    "head=3|delta=4x2|delta=8x3|transpose=4x3|raw",
    "tail=100|transpose=1x8|zstd:3",
    "pco:u1:3",
    "pco:i2:8:d1",
    "pco:f2:8",
    "pco:f4:8:d2:q13",
    "pco:f8:8:d2:q29",
    "pco:u8:12:d7:c99",
    "pco:i2:8:v1",
    "delta=4x1|transpose=4x9|pco:i4:8:v8:c2",
    "head=3|tail=2|delta=4x2|pco:u4:8",
    "head=12|tail=12|delta=4x9|delta=4x1|transpose=4x9|pco:i4:8:d0:c3",
    "delta=1x3|delta=2x70|transpose=8x5|delta=8x999999999|zstd:1",
)
OFF_GRAMMAR = (
    "",
    "RAW",
    "raw ",
    "raw:",
    "raw:1",
    "raw|raw",
    "zstd",
    "zstd:0",
    "zstd:23",
    "zstd:03",
    "zstd:+3",
    "zstd:³",
    "zstd:-1",
    "pco:u4",
    "pco:u4:13",
    "pco:u3:8",
    "pco:f1:8",
    "pco:>u4:8",
    "pco:u4:8:d8",
    "pco:u4:8:v0",
    "pco:u4:8:v9",
    "pco:u8:8:v1",
    "pco:u4:8:d1:v1",
    "pco:u4:8:d0:c1",
    "pco:u4:8:c4",
    "pco:f8:8:q29",
    "pco:u4:8:d0:c100",
    "pco:u4:8:c4:d1",
    "pco:f4:8:d0:q0",
    "pco:f4:8:d0:q24",
    "pco:u4:8:d0:q9",
    "head=0|raw",
    "head=012|raw",
    "head=-1|raw",
    "head=1|head=2|raw",
    "tail=12|head=12|raw",
    "head=1234567890|raw",
    "delta=4x0|raw",
    "delta=3x5|raw",
    "delta=4|raw",
    "transpose=4x|raw",
    "rotate=4x4|raw",
    "delta=4x1",
    "delta=4x1|delta=4x1|delta=4x1|delta=4x1|delta=4x1|raw",
    "lz4:1",
    "head=1\n|raw",
    "raw\n",
    "raw\0",
    "|raw",
    "raw|",
    "x" * 5000,
)


@pytest.mark.parametrize("descriptor", DESCRIPTORS)
def test_a_descriptor_reads_back_as_itself(descriptor: str) -> None:
    assert Pipeline.parse(descriptor).descriptor == descriptor


@pytest.mark.parametrize("descriptor", OFF_GRAMMAR)
def test_what_leaves_the_grammar_is_damage(descriptor: str) -> None:
    with pytest.raises(DamagedLakeError, match="No codec pipeline"):
        Pipeline.parse(descriptor)


@given(st.text(alphabet="rawzstdpco:=|x0123456789uif delthnsq", max_size=60))
def test_any_text_is_a_pipeline_or_damage(text: str) -> None:
    try:
        pipeline = Pipeline.parse(text)
    except DamagedLakeError:
        return
    assert pipeline.descriptor == text


@given(st.sampled_from(DESCRIPTORS), st.binary(max_size=600))
def test_every_byte_comes_back(descriptor: str, raw: bytes) -> None:
    payload = encode(Pipeline.parse(descriptor), raw)
    assert decode(descriptor, payload, len(raw)) == raw
    assert decode(Pipeline.parse(descriptor), memoryview(payload), len(raw)) == raw


@pytest.mark.parametrize("element", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("odd", [0, 1, 7])
@pytest.mark.parametrize("stages", ["", "head=1|", "head=3|tail=90|delta=4x33|delta=4x1|transpose=4x33|"])
def test_arrays_of_every_element_come_back(element: str, odd: int, stages: str) -> None:
    width = int(element[1:])
    random = np.random.default_rng(20240501)
    raw = random.integers(0, 256, 2000 * width + odd, dtype=np.uint8).tobytes()  # floats: every NaN and infinity too
    kinds = ["8", "8:d0:c3", "8:d2", *(["8:d0:q9"] if element[0] == "f" else []), *(["8:v2:c2"] if width <= 4 else [])]
    for options in kinds:
        descriptor = f"{stages}pco:{element}:{options}"
        assert decode(descriptor, encode(Pipeline.parse(descriptor), raw), len(raw)) == raw


@pytest.mark.parametrize("descriptor", ["pco:u1:0", "pco:i2:0:d0:c3", "transpose=1x4|zstd:1", "delta=4x1|pco:u4:1"])
def test_a_frame_of_many_mib_comes_back(descriptor: str) -> None:
    raw = bytes(range(256)) * (72 << 10)  # 18 MiB: more bytes than pco takes into one chunk
    assert decode(descriptor, encode(Pipeline.parse(descriptor), raw), len(raw)) == raw


def test_the_same_data_give_the_same_payload() -> None:
    raw = np.arange(9000, dtype="<u4").tobytes()
    for descriptor in DESCRIPTORS:
        pipeline = Pipeline.parse(descriptor)
        assert encode(pipeline, raw) == encode(pipeline, bytearray(raw)) == encode(pipeline, memoryview(raw))


def test_delta_subtracts_the_row_above_modulo_the_width() -> None:
    rows = np.array([[5, 250], [3, 1], [4, 0]], "<u2")
    got = Delta(2, 2).encode(np.frombuffer(rows.tobytes(), np.uint8)).view("<u2")
    assert got.tolist() == [5, 250, 65534, 65287, 1, 65535]


def test_transpose_writes_whole_rows_by_columns_and_leaves_the_rest() -> None:
    data = np.frombuffer(b"abcABC12.", np.uint8)
    assert Transpose(1, 3).encode(data).tobytes() == b"aA1bB2cC."
    assert Transpose(1, 4).encode(data).tobytes() == b"aBbCc1A2."
    assert Transpose(2, 2).encode(data).tobytes() == b"abBCcA12."


def test_filters_leave_their_input_alone() -> None:
    data = np.arange(40, dtype=np.uint8)
    before = data.tobytes()
    for stage in (Delta(4, 2), Transpose(4, 2)):
        stage.encode(data)
        assert data.tobytes() == before


def test_short_data_are_all_head() -> None:
    assert encode(Pipeline.parse("head=12|tail=12|raw"), b"seventeen bytes..") == b"seventeen bytes.."


def test_long_edges_are_compressed() -> None:
    raw = b"key = value\n" * 100 + bytes(range(256))
    payload = encode(Pipeline.parse("head=1200|raw"), raw)
    assert len(payload) < 400
    assert payload.endswith(bytes(range(256)))
    assert int.from_bytes(payload[:4], "little") == len(payload) - 4 - 256


def test_what_does_not_shrink_is_stored_raw() -> None:
    noise = np.random.default_rng(1).bytes(5000)
    assert encode_or_raw(Pipeline(Zstd(3)), noise) == (RAW, noise)
    assert encode_or_raw(Pipeline(Pco("u1", 8)), b"") == (RAW, b"")
    pipeline, payload = encode_or_raw(Pipeline(Zstd(3)), bytes(5000))
    assert pipeline == Pipeline(Zstd(3))
    assert len(payload) < 100


@pytest.mark.parametrize("size", [-1, MAX_RAW_BYTES + 1, 1 << 62])
def test_absurd_sizes_are_refused_before_any_memory_is_asked_for(size: int) -> None:
    with pytest.raises(DamagedLakeError, match=re.escape(f"{size:,}")):
        decode("zstd:3", b"", size)
