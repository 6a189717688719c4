"""The progress bar: on a terminal only, and gone when a task ends."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from sxeslake.cli.app import App
from sxeslake.cli.progress import Bar


def test_a_bar_names_its_task_and_leaves_nothing_behind() -> None:
    screen = io.StringIO()
    bar = Bar(Console(file=screen, force_terminal=True, width=100))
    bar.start("ingest a\x1b[2Jmap.plzip", 1_000_000)
    bar.advance(250_000)
    bar.finish()
    assert "ingest a\\x1b[2Jmap.plzip" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K")  # the line is wiped


def test_tasks_follow_each_other_and_may_have_no_size() -> None:
    screen = io.StringIO()
    bar = Bar(Console(file=screen, force_terminal=True, width=100))
    bar.start("first", 10)
    bar.start("second", None)
    bar.finish()
    bar.finish()
    bar.advance(5)
    assert "first" in screen.getvalue()
    assert "second" in screen.getvalue()


@pytest.mark.parametrize(
    ("watched", "quiet", "shown"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_bar_is_for_those_who_watch(monkeypatch: pytest.MonkeyPatch, watched: bool, quiet: bool, shown: bool) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: watched)
    assert (App(quiet=quiet).progress() is not None) is shown
