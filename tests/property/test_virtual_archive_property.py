"""Any archive, any read: the archive that is nowhere has the bytes of the one that is pulled."""

from __future__ import annotations

import io
import uuid
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_lakes import new_lake

from sxeslake.archive.container import create_writer
from sxeslake.model import Member
from sxeslake.storage import open_store

names = st.lists(
    st.text("abäß日.x", min_size=1, max_size=4).filter(lambda step: step.strip(".")), min_size=1, max_size=3
)
moments = st.none() | st.integers(-(10**18), 3 * 10**18)
members = st.lists(
    st.tuples(names.map("/".join), st.binary(max_size=300) | st.just(b"\x5a" * 70_000), moments),
    max_size=12,
    unique_by=lambda item: item[0].partition("/")[0],
)
reads = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 80_000)), max_size=15)


@settings(max_examples=30)
@given(members, reads, st.binary(max_size=10))
def test_random_reads_equal_the_pulled_file(
    tmp_path_factory: object,
    found: list[tuple[str, bytes, int | None]],
    wanted: list[tuple[float, int]],
    comment: bytes,
) -> None:
    folder = Path(str(tmp_path_factory.mktemp("virtual")))  # type: ignore[attr-defined]
    with (folder / "a.zip").open("wb") as file:
        writer = create_writer(file, "zip", comment=comment)
        for path, data, moment in found:
            writer.add(Member(path, "file", len(data), modified_ns=moment), [data])
        writer.close()
    with new_lake(open_store(f"memory://{uuid.uuid4().hex}")) as lake:
        assert not lake.ingest(folder / "a.zip").failed
        pulled = io.BytesIO()
        lake.pull_to("a", pulled, container="zip", level=0)
        whole, virtual = pulled.getvalue(), lake.files("a").archive
        assert virtual.size == len(whole)
        for share, size in wanted:
            start = int(share * len(whole))
            assert virtual.read(start, start + size) == whole[start : start + size]
        assert virtual.read(0, virtual.size) == whole
