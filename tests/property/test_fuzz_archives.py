"""Archives with changed bytes are read or refused; those that once showed something are kept in `tests/corpus`."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from support.fuzzing import CORPUS, Edit, edited, locked, outcome, seeds

_NASTY = st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\xff" * 8, b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"PK\x01\x02"])
_PLACES = st.one_of(st.floats(0, 1), st.floats(0.9, 1), st.floats(0, 0.05))  # where the headers are
_EDITS = st.lists(
    st.builds(
        Edit,
        st.sampled_from(["set", "set", "set", "insert", "delete", "cut"]),
        _PLACES,
        st.one_of(_NASTY, st.binary(min_size=1, max_size=8)),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("number", range(len(seeds())))
def test_the_seeds_are_whole(number: int) -> None:
    assert outcome(seeds()[number]) == "read"


@given(st.integers(0, len(seeds()) - 1), _EDITS, st.booleans())
def test_changed_archives_are_read_or_refused(number: int, edits: list[Edit], seal: bool) -> None:
    assert outcome(edited(seeds()[number], edits, seal=seal))


@given(st.integers(0, 2), _EDITS, st.booleans(), st.sampled_from([(), ("p",), ("wrong", "p"), ("wrong",)]))
@settings(deadline=None)
def test_changed_encrypted_archives_are_read_or_refused(
    number: int, edits: list[Edit], seal: bool, passwords: tuple[str, ...]
) -> None:
    assert outcome(locked()[number], "p") == "read"
    assert outcome(edited(locked()[number], edits, seal=seal), passwords)


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir()))
def test_the_corpus(name: str) -> None:
    """`DamagedArchiveError-1f00.7z` is refused by that error; `read-….zip` is read."""
    assert outcome((CORPUS / name).read_bytes()) == name.partition("-")[0]
