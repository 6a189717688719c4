"""Numbers, tables and names as people read them."""

from __future__ import annotations

import pytest

from sxeslake.cli.words import count, percent, shown, size, table


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_600, "1.00 MB"),
        (1_257_190, "1.26 MB"),
        (205_200_000, "205 MB"),
        (3 * 10**15, "3.00 PB"),
        (5 * 10**18, "5000 PB"),
    ],
)
def test_size_has_three_figures(number: int, words: str) -> None:
    assert size(number) == words


def test_count_and_percent() -> None:
    assert count(1, "archive") == "1 archive"
    assert count(12_505, "entry", "entries") == "12,505 entries"
    assert percent(64, 100) == "64 %"
    assert percent(0, 0) == "0 %"


def test_names_cannot_steer_the_terminal() -> None:
    assert shown("a\x1b[2Jb\nc\u202e") == "a\\x1b[2Jb\\nc\\u202e"
    assert shown("試料 é") == "試料 é"


def test_a_table_is_aligned_with_numbers_at_the_right() -> None:
    lines = table(("name", "size", "n"), [("試料", "1.26 MB", 5), ("map", "205 MB", 12505)])
    assert lines == ["name     size       n", "試料  1.26 MB       5", "map    205 MB  12,505"]


def test_an_empty_table_is_its_heading() -> None:
    assert table(("name", "size"), []) == ["name  size"]
