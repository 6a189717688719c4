"""Options that stand before the command's name or after it."""

from __future__ import annotations

import click
import pytest

from sxeslake.cli.app import App
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.root import root
from sxeslake.cli.run import run


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[App]:
    """The App that a command ran with."""
    apps: list[App] = []

    def open_lake(self: App, *, create_default: bool = False) -> object:
        apps.append(self)
        raise click.exceptions.Exit(0)

    monkeypatch.setattr(App, "open_lake", open_lake)
    return apps


GIVEN = ["--lake", "s3://b/x", "--storage-option", "a=1", "--storage-option", "b=x=y", "--json", "-v", "--quiet"]
EXPECTED = App("s3://b/x", {"a": "1", "b": "x=y"}, words=("s3://b/x",), as_json=True, verbose=True, quiet=True)


@pytest.mark.parametrize("arguments", [[*GIVEN, "ls"], ["ls", *GIVEN], [*GIVEN[:4], "ls", *GIVEN[4:]]])
def test_global_options_stand_anywhere(seen: list[App], arguments: list[str]) -> None:
    assert run(arguments) == 0
    assert seen == [EXPECTED]


def test_the_later_lake_wins(seen: list[App]) -> None:
    assert run(["--lake", "a", "ls", "--lake", "b"]) == 0
    assert seen[0].word == "b"


def test_every_command_takes_them_and_ends_its_help_with_an_example() -> None:
    context = click.Context(root, info_name="sxeslake")
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert isinstance(command, LakeCommand)
        lines = command.get_help(click.Context(command, info_name=name, parent=context)).rstrip().splitlines()
        assert "--lake, --json, -v, -q" in "\n".join(lines)
        assert lines[-len(command.example.splitlines()) - 1] == "Example:", name
        assert f"sxeslake {name}" in command.example
