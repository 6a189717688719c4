"""Any members go through a zip; no damage to a zip gets anything but a clear refusal."""

from __future__ import annotations

import io
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sxeslake.archive.container import open_container
from sxeslake.archive.names import check_members
from sxeslake.archive.zip import writer as zip_writer
from sxeslake.errors import InputError
from sxeslake.model import MIB, Limits, Member

LAST_STEP = ((1 << 63) - 1) // 100  # of 100 ns: times are 64-bit nanoseconds, others read as not known
ATTRIBUTES = [None, 0x20, 0x21, 0o100644 << 16 | 0x8020, 0o600 << 16 | 0x8000]
FOLDER_MODE = 0o40755 << 16 | 0x8010
QUIET = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)

steps = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0:"), min_size=1, max_size=8).filter(
    lambda step: step not in (".", "..")
)
paths = st.lists(steps, min_size=1, max_size=3).map("/".join)
contents = st.one_of(
    st.just(b""),
    st.binary(max_size=200),
    st.builds(lambda unit, count: unit * count, st.binary(max_size=9), st.integers(0, 9000)),
)


@st.composite
def member_sets(draw: st.DrawFn) -> list[tuple[Member, bytes]]:
    """Members that may stand side by side, with their contents."""
    found: list[tuple[Member, bytes]] = []
    for path in draw(st.lists(paths, max_size=8, unique=True)):
        content = draw(st.one_of(st.none(), contents))
        member = Member(
            path,
            "directory" if content is None else "file",
            len(content or b""),
            modified_ns=draw(st.one_of(st.none(), st.integers(-LAST_STEP, LAST_STEP).map(lambda step: step * 100))),
            attributes=draw(st.sampled_from([*ATTRIBUTES, FOLDER_MODE] if content is None else ATTRIBUTES)),
            dos_time=draw(st.integers(0, 0xFFFF_FFFF)),
        )
        try:
            check_members([*(known for known, _ in found), member])
        except InputError:
            continue
        found.append((member, content or b""))
    return found


def _written(members: list[tuple[Member, bytes]], level: int) -> bytes:
    out = io.BytesIO()
    with zip_writer.ZipWriter(out, level=level, threads=2) as writer:
        for member, data in members:
            writer.add(member, [data])
    return out.getvalue()


def _facts(member: Member) -> tuple[object, ...]:
    return member.path, member.kind, member.size, member.modified_ns, member.attributes, member.dos_time


@QUIET
@given(members=member_sets(), level=st.sampled_from([0, 1, 2, 6]), large=st.sampled_from([1000, 4 * MIB]))
def test_any_members_go_through(members: list[tuple[Member, bytes]], level: int, large: int) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(zip_writer, "LARGE_BYTES", large)
        patch.setattr(zip_writer, "BLOCK_BYTES", 700)
        path = Path(folder) / "x.zip"
        path.write_bytes(_written(members, level))
        with open_container(path) as reader:
            assert [_facts(member) for member in reader.members] == [_facts(member) for member, _ in members]
            assert [reader.read(index) for index in range(len(members))] == [data for _, data in members]
            again = [bytearray() for _ in members]
            for job in reader.jobs(1000):
                for place, offset, data in job():
                    assert offset == len(again[place])
                    again[place] += data
            assert again == [data for _, data in members]


def _sample(method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("metadata.json", b'{"projects": []}' * 40)
        archive.writestr("data/ä/xes.data", bytes(range(256)) * 20)
        archive.writestr("folder/", b"")
        archive.comment = b"comment"
    return out.getvalue()


SAMPLES = [_sample(method) for method in (0, 8, 12, 14)] + [
    _written(
        [
            (Member("a", "file", 9000, modified_ns=1, attributes=0x20), bytes(9000)),
            (Member("b/c", "file", 3, raw_name=b"b/\x84"), b"abc"),
            (Member("b", "directory"), b""),
        ],
        1,
    )
]
LIMITS = Limits(members=1000, raw_bytes=8 * MIB)

changes = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.one_of(st.integers(0, 255), st.binary(max_size=6))),
    min_size=1,
    max_size=6,
)


def _changed(sample: bytes, where: list[tuple[float, int | bytes]], keep: float) -> bytes:
    """Bytes replaced, stretches inserted, the end cut off."""
    data = bytearray(sample)
    for place, change in where:
        at = int(place * len(data))
        data[at : at + 1] = bytes([change]) if isinstance(change, int) else change
    return bytes(data[: int(len(data) * keep)])


@settings(QUIET, max_examples=150)
@given(
    sample=st.sampled_from(SAMPLES),
    where=changes,
    keep=st.one_of(st.just(1.0), st.floats(0.5, 1)),
)
def test_damage_is_refused_clearly_and_cheaply(
    tmp_path: Path, sample: bytes, where: list[tuple[float, int | bytes]], keep: float
) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(_changed(sample, where, keep))
    told = str(path)
    tracemalloc.start()
    try:
        with open_container(path, limits=LIMITS) as reader:
            for job in reader.jobs(1000):
                job()
            for index, member in enumerate(reader.members):
                assert len(reader.read(index)) == member.size
    except InputError as error:
        told = str(error)
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert told.startswith(str(path))
    assert most < 64 * MIB
