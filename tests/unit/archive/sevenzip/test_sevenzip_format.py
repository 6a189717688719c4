"""The 7z header: columns → bytes → columns, and hostile headers."""

from __future__ import annotations

import contextlib
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.archive.sevenzip.format import (
    ANTI,
    ATTRIBUTES,
    DUMMY,
    EMPTY_FILE,
    EMPTY_STREAM,
    END,
    FILES,
    FOLDER,
    HEADER,
    MAIN_STREAMS,
    MODIFIED,
    NAMES,
    PACK_INFO,
    SIZE,
    UNPACK_INFO,
    Cursor,
    FileColumns,
    FolderCoder,
    FolderCoders,
    StartHeader,
    Streams,
    parse_start_header,
    start_header,
)
from sxeslake.archive.sevenzip.parser import parse_header
from sxeslake.archive.sevenzip.serialiser import header_parts, number
from sxeslake.errors import DamagedArchiveError, InputError, LimitExceededError, UnsupportedMethodError

MEMBERS = 1000


def parse(header: bytes, *, members: int = MEMBERS) -> tuple[Streams, FileColumns]:
    """What the reader does with a decoded header."""
    cursor = Cursor(header, "x.7z")
    assert cursor.number() == HEADER
    return parse_header(cursor, max_members=members)


def a_property(kind: int, content: bytes) -> bytes:
    return number(kind) + number(len(content)) + content


def files_header(count: int, *properties: bytes) -> bytes:
    """A header of members without any streams."""
    return number(HEADER) + number(FILES) + number(count) + b"".join(properties) + number(END) + number(END)


def names(*paths: str) -> bytes:
    return a_property(NAMES, b"\x00" + b"".join(path.encode("utf-16-le") + b"\x00\x00" for path in paths))


@given(st.integers(0, 2**64 - 1))
def test_a_number_comes_back(value: int) -> None:
    cursor = Cursor(number(value), "x.7z")
    assert cursor.number() == value
    assert cursor.remaining == 0


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0x7F, "7f"),
        (0x80, "8080"),
        (0x1234, "9234"),
        (0x3FFF, "bfff"),
        (0x4000, "c00040"),
        (2**56, "ff0000000000000001"),
    ],
)
def test_numbers_are_encoded_as_the_format_says(value: int, encoded: str) -> None:
    assert number(value).hex() == encoded


@given(st.lists(st.integers(0, 2**61), max_size=20))
def test_runs_of_numbers_come_back(values: list[int]) -> None:
    cursor = Cursor(b"".join(map(number, values)), "x.7z")
    assert cursor.numbers(len(values)).tolist() == values


def test_the_start_header_comes_back_and_is_checked() -> None:
    header = StartHeader(123, 45, 0xDEADBEEF)
    data = start_header(header)
    assert parse_start_header(data, "x.7z") == header
    with pytest.raises(DamagedArchiveError, match="start header fails its CRC"):
        parse_start_header(data[:20] + b"\xff" + data[21:], "x.7z")
    with pytest.raises(DamagedArchiveError, match="cut off"):
        parse_start_header(data[:31], "x.7z")


recipes = st.sampled_from(
    [
        FolderCoders((FolderCoder(b"\x00"),)),
        FolderCoders((FolderCoder(b"\x21", b"\x12"),)),
        FolderCoders((FolderCoder(b"\x21", b"\x12"), FolderCoder(b"\x03", b"\x03")), ((1, 0),), (0,)),
    ]
)


@st.composite
def archives(draw: st.DrawFn) -> tuple[Streams, FileColumns]:
    """Columns as a writer could make them."""
    groups = draw(st.lists(st.lists(st.integers(0, 2**40), min_size=1, max_size=4), max_size=5))
    chosen = [draw(recipes) for _ in groups]
    sizes = np.array([size for group in groups for size in group], np.int64)
    folder_sizes = np.array([sum(group) for group in groups], np.int64)
    coders = np.array([len(recipe.coders) for recipe in chosen], np.int64)
    has_crc = np.array(draw(st.lists(st.booleans(), min_size=len(sizes), max_size=len(sizes))), np.bool_)
    streams = Streams(
        pack_position=draw(st.integers(0, 2**50)),
        pack_sizes=np.array([draw(st.integers(0, 2**40)) for _ in groups], np.int64),
        recipes=chosen,
        coder_sizes=np.repeat(folder_sizes, coders),
        folder_sizes=folder_sizes,
        folder_crcs=np.zeros(len(groups), np.uint32),
        folder_has_crc=np.zeros(len(groups), np.bool_),
        stream_starts=np.concatenate(([0], np.cumsum([len(group) for group in groups]))).astype(np.int64),
        sizes=sizes,
        crcs=np.where(has_crc, np.arange(len(sizes)) + 7, 0).astype(np.uint32),
        has_crc=has_crc,
    )
    empties = draw(st.lists(st.booleans(), max_size=5))  # whether each is a directory
    count = len(sizes) + len(empties)
    paths = [f"ü𝄞/{index}" for index in range(count)]
    flags = st.lists(st.booleans(), min_size=count, max_size=count)
    has_modified, has_attributes = np.array(draw(flags), np.bool_), np.array(draw(flags), np.bool_)
    order = draw(st.permutations([*[None] * len(sizes), *empties]))
    return streams, FileColumns(
        count=count,
        names=memoryview(b"".join(path.encode("utf-16-le") + b"\x00\x00" for path in paths)),
        name_ends=np.cumsum([len(path.encode("utf-16-le")) + 2 for path in paths]).astype(np.int64) - 2,
        empty=np.array([each is not None for each in order], np.bool_),
        directory=np.array([each is True for each in order], np.bool_),
        modified=np.where(has_modified, 2**60 + np.arange(count), 0).astype(np.uint64),
        has_modified=has_modified,
        attributes=np.where(has_attributes, 0x81A48020, 0).astype(np.uint32),
        has_attributes=has_attributes,
    )


@given(archives())
def test_columns_come_back(archive: tuple[Streams, FileColumns]) -> None:
    streams, files = archive
    found_streams, found_files = parse(b"".join(header_parts(streams, files)))
    if streams.recipes:
        assert found_streams.pack_position == streams.pack_position
    assert found_streams.recipes == streams.recipes
    for column in ("pack_sizes", "folder_sizes", "stream_starts", "sizes", "crcs", "has_crc"):
        np.testing.assert_array_equal(getattr(found_streams, column), getattr(streams, column), column)
    assert bytes(found_files.names) == bytes(files.names)
    for column in ("empty", "directory", "name_ends"):
        np.testing.assert_array_equal(getattr(found_files, column), getattr(files, column), column)
    for column in ("modified", "attributes"):
        known = getattr(files, f"has_{column}")
        if known.any():
            np.testing.assert_array_equal(getattr(found_files, column), getattr(files, column), column)
            np.testing.assert_array_equal(getattr(found_files, f"has_{column}"), known)
        else:
            assert getattr(found_files, column) is None


@given(archives(), st.data())
def test_damaged_headers_are_refused_or_read_never_worse(
    archive: tuple[Streams, FileColumns], data: st.DataObject
) -> None:
    header = bytearray(b"".join(header_parts(*archive)))
    assert bytes(parse(bytes(header))[1].names) == bytes(archive[1].names)
    for _ in range(data.draw(st.integers(1, 4))):
        header[data.draw(st.integers(1, len(header) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InputError):
        parse(bytes(header))


def test_partly_known_times_and_padding_are_read() -> None:
    times = a_property(MODIFIED, b"\x00" + bytes((0b10100000,)) + b"\x00" + (7).to_bytes(8, "little") * 2)
    empty = a_property(EMPTY_STREAM, bytes((0b11100000,))) + a_property(EMPTY_FILE, bytes((0b01000000,)))
    _, files = parse(files_header(3, empty, a_property(DUMMY, bytes(5)), names("a", "b", "c"), times))
    assert files.modified is not None
    assert files.has_modified is not None
    assert files.modified.tolist() == [7, 0, 7]
    assert files.has_modified.tolist() == [True, False, True]
    assert files.directory.tolist() == [True, False, True]


HOSTILE_COUNTS = {
    "members": files_header(2**60, names("a")),
    "members within the limit": files_header(MEMBERS - 1, names("a")),
    "packed streams": number(HEADER) + number(MAIN_STREAMS) + number(PACK_INFO) + number(0) + number(2**60),
    "packed sizes": number(HEADER)
    + number(MAIN_STREAMS)
    + number(PACK_INFO)
    + number(0)
    + number(2)
    + number(SIZE)
    + number(2**63) * 2,
    "folders": number(HEADER) + number(MAIN_STREAMS) + number(UNPACK_INFO) + number(FOLDER) + number(2**60) + b"\x00",
    "coders": number(HEADER)
    + number(MAIN_STREAMS)
    + number(UNPACK_INFO)
    + number(FOLDER)
    + number(1)
    + b"\x00"
    + number(2**60)
    + bytes(9),
    "a property's length": number(HEADER) + number(FILES) + number(1) + number(NAMES) + number(2**63),
    "attributes": files_header(1, names("a"), a_property(ATTRIBUTES, b"\x01\x00")),
    "an odd name": files_header(1, a_property(NAMES, b"\x00a\x00\x00")),
    "a name without end": files_header(1, a_property(NAMES, b"\x00a\x00")),
    "two names for one": files_header(1, a_property(EMPTY_STREAM, b"\x80"), names("a", "b")),
    "a content that is not there": files_header(1, names("a")),
    "no names": files_header(2000, a_property(EMPTY_STREAM, b"\xc0")),
    "an unknown part": number(HEADER) + number(0x55),
    "nothing": number(HEADER),
}


@pytest.mark.parametrize("header", HOSTILE_COUNTS.values(), ids=HOSTILE_COUNTS)
def test_what_cannot_be_is_refused_before_it_costs_memory(header: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises((DamagedArchiveError, LimitExceededError)):
            parse(header)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_more_members_than_allowed_are_refused() -> None:
    header = files_header(3, a_property(EMPTY_STREAM, b"\xe0"), names("a", "b", "c"))
    assert parse(header, members=3)[1].count == 3
    with pytest.raises(LimitExceededError, match="3 members; the limit is 2"):
        parse(header, members=2)


def test_anti_items_are_refused() -> None:
    empty = a_property(EMPTY_STREAM, b"\x80")
    with pytest.raises(UnsupportedMethodError, match="anti"):
        parse(files_header(1, empty, names("a"), a_property(ANTI, b"\x80")))
    assert parse(files_header(1, empty, names("a"), a_property(ANTI, b"\x00")))[1].count == 1


def test_values_in_another_stream_are_refused() -> None:
    with pytest.raises(UnsupportedMethodError, match="additional stream"):
        parse(files_header(1, a_property(NAMES, b"\x01\x00")))
