"""`query` on the command line: which options a question has, and how its name is found among them."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from sxeslake.catalog.query.filter_spec import FILTERS, SETTINGS
from sxeslake.cli.app import App
from sxeslake.cli.commands.query import command
from sxeslake.cli.filters import filter_options, filter_words
from sxeslake.errors import NotFoundError


def parsed(*arguments: str) -> dict[str, object]:
    """What the command would be called with, of what was given."""
    context = command.make_context("query", list(arguments), obj=App())
    return {name: value for name, value in context.params.items() if value not in (None, ())}


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A folder with a question whose parameters are called like options."""
    text = "-- Odd\n-- parameter: limit integer = 3: L.\n-- parameter: deep flag = false: D.\nSELECT $limit, $deep"
    (tmp_path / "odd.sql").write_text(text)
    return str(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ["positions-near", "--x", "-3", "--y", "2", "--kv", "5"],
        ["--kv", "5", "--x=-3", "positions-near", "--y", "2"],
        ["--x", "-3", "--y", "2", "--kv=5", "positions-near"],
        ["-q", "--json", "positions_near", "--x", "-3", "--y", "2", "--kv", "5"],
    ],
)
def test_the_name_may_stand_anywhere(arguments: list[str]) -> None:
    found = parsed(*arguments)
    assert found.pop("name") in ("positions-near", "positions_near")
    assert found == {"parameter_x": "-3", "parameter_y": "2", "filter_kv": "5"}


def test_the_value_of_a_filter_is_no_name() -> None:
    found = parsed("--text", "last-session", "by-operator", "--grating", "a", "--grating", "b")
    assert found == {"name": "by-operator", "filter_text": "last-session", "filter_grating": ("a", "b")}


def test_a_parameter_goes_before_a_filter_and_an_option_of_that_name(mine: str) -> None:
    assert parsed("find-text", "--text", "x") == {"name": "find-text", "parameter_text": "x"}
    found = parsed("odd", "--queries", mine, "--limit", "7", "--deep")
    assert (found["parameter_limit"], found["parameter_deep"]) == ("7", True)
    assert parsed("odd", "--queries", mine, "--no-deep")["parameter_deep"] is False


def test_an_unknown_name_is_said_before_an_unknown_option() -> None:
    with pytest.raises(NotFoundError, match="Did you mean"):
        parsed("positions-nera", "--x", "1")
    with pytest.raises(click.NoSuchOption):
        parsed("by-operator", "--x", "1")


def test_every_filter_and_setting_is_an_option() -> None:
    flags = [flag for option in filter_options() for flag in option.opts]
    assert flags == [each.option for each in FILTERS] + [f"--{name.replace('_', '-')}" for name in SETTINGS]
    assert filter_words({"filter_kv": "5", "filter_grating": (), "filter_text": None, "limit": 3}) == {"kv": "5"}
