"""Whatever an audit calls stored, a pull gives back byte for byte."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import event, given, settings
from hypothesis import strategies as st
from support.small_lakes import group, new_lake, zip_of

from sxeslake.storage import open_store

_edits = st.lists(st.tuples(st.integers(0, 2**16), st.binary(min_size=1, max_size=3), st.integers(0, 3)), max_size=3)


@settings(max_examples=40)
@given(_edits, _edits, st.booleans(), st.binary(max_size=3))
def test_what_is_stored_comes_back(
    ingested: list[tuple[int, bytes, int]], copied: list[tuple[int, bytes, int]], as_sevenzip: bool, tail: bytes
) -> None:
    """An archive with changed bytes is ingested where it can be; then it and a copy with more changes are audited."""
    with TemporaryDirectory() as made, new_lake(open_store(f"memory://{uuid.uuid4().hex}")) as lake:
        folder = Path(made)
        path = zip_of(folder / "in" / "a.plzip", group(1))
        if as_sevenzip:
            lake.ingest(path, sample="other")
            lake.pull("other", folder / "in" / "b.pl7z")
            path.unlink()
            path = folder / "in" / "b.pl7z"
        path.write_bytes(_edited(path.read_bytes(), ingested))
        report = lake.ingest(path)
        path.with_name("copy.plzip").write_bytes(_edited(path.read_bytes(), copied) + tail)
        rows = {Path(row.path).name: row for row in lake.audit(folder / "in")}
        if report.failed:
            assert rows[path.name].status != "stored"
        for row in rows.values():
            event(row.status)
            assert row.exact is (row.status == "stored")
            if row.status == "stored":
                lake.pull(str(row.archive), folder / "out", exact=True, force=True)
                assert hashlib.sha256((folder / "out").read_bytes()).hexdigest() == row.sha256


def _edited(data: bytes, edits: list[tuple[int, bytes, int]]) -> bytes:
    """The bytes with some replaced, put in or taken out."""
    for at, new, gone in edits:
        place = at % (len(data) + 1)
        data = data[:place] + new + data[place + gone :]
    return data
