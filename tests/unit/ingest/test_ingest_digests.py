"""Digests by number: as a dict would have them, whatever moves into the columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.ingest import blobtable
from sxeslake.ingest.blobtable import Digests

# Few beginnings: many that are alike in the eight bytes that are sorted.
DIGESTS = st.builds(lambda head, tail: bytes([head]) * 8 + bytes([tail]) * 24, st.integers(0, 3), st.integers(0, 9))


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobtable, "_RECENT", 3)


@given(st.lists(st.lists(DIGESTS, max_size=6), max_size=12))
def test_they_are_numbered_as_a_dict_numbers_them(batches: list[list[bytes]]) -> None:
    found, model = Digests(), dict[bytes, int]()
    for batch in batches:
        assert found.numbers(batch) == [model.get(digest) for digest in batch]
        for digest in batch:
            if digest not in model:
                assert found.recent(digest) is None
                model[digest] = found.append(digest)
            assert found[model[digest]] == digest
    assert len(found) == len(model)
    assert list(model.values()) == list(range(len(model)))


def test_what_is_old_is_not_recent() -> None:
    found = Digests()
    listed = [bytes([number]) * 32 for number in range(5)]
    assert [found.append(digest) for digest in listed] == [0, 1, 2, 3, 4]
    assert found.recent(listed[2]) == 2
    assert found.numbers(listed) == [0, 1, 2, 3, 4]
    assert found.recent(listed[2]) is None
