"""How people name versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.entries import archive, chain

from sxeslake.errors import SampleNotFoundError, UsageError
from sxeslake.vault import refs
from sxeslake.vault.log.state import LogState
from sxeslake.vault.refs import Ref


@pytest.fixture
def state(tmp_path: Path) -> Iterator[LogState]:
    opened = LogState(tmp_path / "state.sqlite")
    archives = [archive("2018/nitrogen"), archive("2018/oxygen"), archive("weird[1]"), archive("gone")]
    archives += [archive("ti-grains", number) for number in (1, 2, 10)]
    tag = {"sample": "ti-grains", "tag": "paper-2026", "version": 2, "action": "add"}
    opened.apply(chain({"archives": tuple(archives), "tags": (tag,), "forgotten": (("gone", 1), ("ti-grains", 1))}))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("a", Ref("a", None)),
        ("a@2", Ref("a", "2")),
        ("a@b@3", Ref("a@b", "3")),
        ("2018/a@paper", Ref("2018/a", "paper")),
    ],
)
def test_names_are_parsed(text: str, ref: Ref) -> None:
    assert refs.parse(text) == ref


@pytest.mark.parametrize("text", ["@", "a@", "@2"])
def test_half_names_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a name"):
        refs.parse(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ti-grains", "ti-grains@10"),
        ("ti-grains@2", "ti-grains@2"),
        ("ti-grains@paper-2026", "ti-grains@2"),
        ("2018/oxygen", "2018/oxygen@1"),
    ],
)
def test_a_name_means_one_version(state: LogState, text: str, name: str) -> None:
    assert refs.find(state, text).name == name


def test_near_misses_are_offered(state: LogState) -> None:
    with pytest.raises(SampleNotFoundError) as caught:
        refs.find(state, "ti-grain")
    assert caught.value.hint == "Did you mean ti-grains?"
    with pytest.raises(SampleNotFoundError, match=r"lake\.ls\(\)"):
        refs.find(state, "zzzzzzzzzzz")


@pytest.mark.parametrize("text", ["ti-grains@1", "ti-grains@3", "ti-grains@draft", "ti-grains@²"])
def test_a_version_that_is_not_there_says_which_are(state: LogState, text: str) -> None:
    with pytest.raises(SampleNotFoundError, match=r"has no version .*There is 2, 10, paper-2026\."):
        refs.find(state, text)


def test_what_was_forgotten_is_not_found(state: LogState) -> None:
    with pytest.raises(SampleNotFoundError):
        refs.find(state, "gone")


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["2018/*"], ["2018/nitrogen@1", "2018/oxygen@1"]),
        (["ti*", "ti-grains@2"], ["ti-grains@10", "ti-grains@2"]),
        (["ti-grains", "ti-*"], ["ti-grains@10"]),
        (["weird[1]"], ["weird[1]@1"]),  # a name that looks like a pattern is a name first
        (["[2]018/ox?gen"], ["2018/oxygen@1"]),
    ],
)
def test_patterns_mean_the_newest_versions(state: LogState, texts: list[str], names: list[str]) -> None:
    assert [version.name for version in refs.find_all(state, texts)] == names


def test_everything_is_everything_that_lives(state: LogState) -> None:
    found = [version.name for version in refs.find_all(state, [], everything=True)]
    assert found == ["2018/nitrogen@1", "2018/oxygen@1", "ti-grains@10", "weird[1]@1"]


def test_a_pattern_that_means_nothing_is_an_error(state: LogState) -> None:
    with pytest.raises(SampleNotFoundError, match="called like"):
        refs.find_all(state, ["x*"])
