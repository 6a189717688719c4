"""Tables and lines in a window: nothing is wider, nothing is lost."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.text import table as texttable
from sxeslake.text.table import folded, folded_text, shortened, table, width

TEXTS = st.text(st.sampled_from("ab/_-@ ,;·試é\u0301"), max_size=120)
WINDOWS = st.integers(texttable.NARROWEST, 130)


def without_blanks(lines: list[str]) -> str:
    return "".join("".join(lines).split())


@given(TEXTS, WINDOWS)
def test_a_folded_line_fits_and_keeps_its_words(text: str, columns: int) -> None:
    lines = folded(text, columns)
    assert all(width(line) <= columns for line in lines)
    assert without_blanks(lines) == without_blanks([text])


@given(st.lists(st.tuples(TEXTS, TEXTS, st.integers(-9, 10**9)), max_size=4), WINDOWS)
def test_a_table_fits_and_keeps_its_cells(rows: list[tuple[str, str, int]], columns: int) -> None:
    lines = table(("sample", "comment", "n"), rows, columns)
    assert all(width(line) <= columns for line in lines)
    signs = sorted(without_blanks([str(cell) for row in rows for cell in row]))
    found = sorted(without_blanks(lines).replace(",", ""))
    for sign in set(signs) - {","}:
        assert found.count(sign) >= signs.count(sign)


def test_later_lines_stand_below_the_text_of_the_first() -> None:
    line = "stored     map@1  4.71 MB, nothing new; same content as chalcopyrite map@1"
    assert folded(line, 40) == [
        "stored     map@1  4.71 MB, nothing new;",
        "           same content as chalcopyrite",
        "           map@1",
    ]
    assert folded("  - a word and another one here", 20) == ["  - a word and", "  another one here"]
    assert folded("a note that has no label", 20) == ["a note that has no", "  label"]
    assert folded_text("one\ntwo", None) == "one\ntwo"


def test_texts_are_folded_before_records_stand_under_each_other() -> None:
    rows = [("2019/chalcopyrite map@1", "first map of the day", 48), ("backup@1", None, 5)]
    assert table(("sample", "comment", "positions"), rows, 46) == [
        "sample        comment           positions",
        "2019/         first map of the         48",
        "chalcopyrite  day",
        "map@1",
        "backup@1                                5",
    ]
    narrow = table(("sample", "comment", "positions"), rows, 30)
    assert narrow == [
        "sample     2019/chalcopyrite",
        "           map@1",
        "comment    first map of the",
        "           day",
        "positions  48",
        "",
        "sample     backup@1",
        "positions  5",
    ]


def test_a_long_name_is_shortened_in_its_middle() -> None:
    assert shortened("/data/2019/beam/map.plzip", 25) == "/data/2019/beam/map.plzip"
    assert shortened("/data/2019/beamtime/map.plzip", 16) == "/data…/map.plzip"
    assert width(shortened("試料" * 20, 15)) <= 15


def test_the_window_is_that_of_the_terminal_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert texttable.window(io.StringIO()) is None
    monkeypatch.setenv("COLUMNS", "100")
    assert texttable.window(io.StringIO()) == 100
    monkeypatch.setenv("COLUMNS", "wide")
    assert texttable.window(io.StringIO()) is None
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        assert texttable.window(stream) == 80  # a terminal that has no size
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 132, 0, 0))
        assert texttable.window(stream) == 132
    os.close(master)
