"""What people type from habit: one short letter means one thing, words of other programs are understood."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import click
import pytest

from sxeslake.catalog.query.filter_spec import FILTERS
from sxeslake.cli.root import DESTRUCTIVE, MEANINGS, SECTIONS, near_commands, root
from sxeslake.cli.run import run

HABITS = {
    "pull": ["get", "download", "extract"],
    "verify": ["check"],
    "forget": ["rm", "delete"],
    "ls": ["list"],
    "ingest": ["add", "backup"],
    "find": ["search"],
    "gc": ["prune"],
    "show": ["info", "status"],
    "help": ["help"],
    "version": ["version"],
}


def options() -> Iterator[tuple[str, click.Option]]:
    """Every option of every command, and of every question of `query`."""
    context = click.Context(root)
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        yield from (
            (name, each) for each in command.get_params(click.Context(command)) if isinstance(each, click.Option)
        )


@pytest.mark.parametrize(
    ("one", "others"), [("--dry-run", {"-n"}), ("--out", {"-o", "--output"}), ("--jobs", {"-j"}), ("--message", {"-m"})]
)
def test_an_option_is_written_in_the_same_ways_everywhere(one: str, others: set[str]) -> None:
    having = {name: set(option.opts) for name, option in options() if {one, *others} & set(option.opts)}
    assert len(having) > 4
    assert having == {name: {one, *others} for name in having}


def test_a_short_option_means_one_thing() -> None:
    meanings: dict[str, set[str]] = defaultdict(set)
    for _, option in options():
        for short in (flag for flag in option.opts if not flag.startswith("--")):
            meanings[short].add(" ".join(flag for flag in option.opts if flag.startswith("--")))
    assert {short: found for short, found in meanings.items() if len(found) > 1} == {}
    assert meanings["-n"] == {"--dry-run"}


def test_every_command_that_filters_measurements_filters_by_sample() -> None:
    flags: dict[str, set[str]] = defaultdict(set)
    for name, option in options():
        flags[name].update(option.opts)
    filtering = [name for name, found in flags.items() if FILTERS[0].option in found]
    assert {"query", "find", "conditions", "pull"} <= set(filtering)
    assert all("--sample" in flags[name] for name in filtering)


@pytest.mark.parametrize(("meant", "words"), HABITS.items())
def test_habits_run_the_command_that_is_meant(capsys: pytest.CaptureFixture[str], meant: str, words: list[str]) -> None:
    for word in words:
        assert MEANINGS.get(word, word) == meant
        assert run([word, "--help"]) == 0
        assert capsys.readouterr().out.startswith(f"Usage: sxeslake {meant}")


def slips(word: str) -> Iterator[str]:
    """The word with a letter missing, doubled, turned about or replaced, in other case, with something behind it."""
    for at in range(len(word)):
        yield word[:at] + word[at + 1 :]
        yield word[:at] + word[at] + word[at:]
        yield word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]
        yield word[:at] + "x" + word[at + 1 :]
    yield from (word.upper(), f"{word}s", f"{word}-all", f"un{word}")


def test_no_suggestion_names_a_command_that_takes_away() -> None:
    words = [*(name for names in SECTIONS.values() for name in names), *MEANINGS]
    asked = [slip for word in words for slip in slips(word)]
    suggested = {name for slip in asked for name in near_commands(slip)}
    assert suggested & DESTRUCTIVE == set()
    assert len(suggested) > 20


def test_every_meaning_is_a_command() -> None:
    names = {name for commands in SECTIONS.values() for name in commands}
    assert set(MEANINGS.values()) <= names
    assert names >= DESTRUCTIVE
    assert not names & set(MEANINGS)
