"""What is read from an unfinished line, and how candidates are written for each shell; nothing in a name runs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.cli.completion.shells import (
    SCRIPTS,
    Suggestion,
    answer,
    bash_inserted,
    bash_typed,
    fish_word,
    powershell_quoted,
    powershell_typed,
    typed,
)
from sxeslake.cli.run import COMPLETION_VARIABLE, run

NAMES = st.text(
    st.characters(min_codepoint=0x20, exclude_characters="\x7f", exclude_categories=("Cs", "Cc", "Zl", "Zp"))
)


@pytest.mark.parametrize(
    ("line", "replaced", "words", "incomplete", "kept"),
    [
        ("sxeslake ", "", ["sxeslake"], "", ""),
        ("sxeslake show ma", "ma", ["sxeslake", "show"], "ma", ""),
        ("sxeslake show a\\ b@", "", ["sxeslake", "show"], "a b@", "a\\ b@"),
        ("sxeslake show map@pa", "pa", ["sxeslake", "show"], "map@pa", "map@"),
        ("sxeslake show 'a b", "a b", ["sxeslake", "show"], "a b", "'"),
        ('sxeslake show "a \\" \\x b', 'a \\" \\x b', ["sxeslake", "show"], 'a " \\x b', '"'),
        ("sxeslake ls --lake=fa", "fa", ["sxeslake", "ls"], "--lake=fa", "--lake="),
        ("sxeslake show 'a b'@", "", ["sxeslake", "show"], "a b@", "'a b'@"),
        ("sxeslake show '' x", "x", ["sxeslake", "show", ""], "x", ""),
        ("sxeslake show a\\", "a\\", ["sxeslake", "show"], "a", ""),
    ],
)
def test_a_line_of_bash(line: str, replaced: str, words: list[str], incomplete: str, kept: str) -> None:
    assert bash_typed(line, replaced) == (words, incomplete, kept)


@given(st.lists(NAMES, min_size=1, max_size=8), st.sampled_from(["", "'", '"']))
@pytest.mark.skipif(shutil.which("bash") is None, reason="NOT TESTED: bash is not installed")
def test_bash_reads_what_is_inserted_as_the_name(names: list[str], quote: str) -> None:
    inserted = [f"{quote}{bash_inserted(name, quote)}" for name in names]
    # As readline does, close a quote that the text does not close itself.
    closed = [text if len(text) > 1 and text.endswith(quote) and quote else f"{text}{quote}" for text in inserted]
    line = " ".join(closed)
    assert bash_typed(f"{line} ", "").words == names
    read = subprocess.run(
        ["bash", "--norc", "-c", f"printf '%s\\n' {line}"], check=True, capture_output=True, text=True, timeout=20
    )
    assert read.stdout == "".join(f"{name}\n" for name in names)


def test_bash_keeps_what_stands_before_the_piece_that_is_replaced() -> None:
    assert bash_inserted("map@2", "map@") == "2"
    assert bash_inserted("a b@2", "a\\ b@") == "2"
    assert bash_inserted("a b@2", "'a b'@") == "2"
    assert bash_inserted("--lake=two words", "--lake=") == "two\\ words"
    assert bash_inserted("other", "map@") is None
    assert bash_inserted("", "") == "''"


@pytest.mark.parametrize(
    ("token", "word"),
    [
        ("plain", "plain"), ("two\\ words", "two words"), ("'it\\'s", "it's"), ("'a\\b", "a\\b"),
        ('"a\\$b\\x"', "a$b\\x"), ("a'b c'd", "ab cd"), ("", ""), ("\\", ""),
    ],
)  # fmt: skip
def test_a_word_of_fish(token: str, word: str) -> None:
    assert fish_word(token) == word


def test_the_words_of_powershell_come_as_json() -> None:
    assert powershell_typed('["show","two words"]') == (["show"], "two words", "")
    assert powershell_typed('["show","\'it\'\'s"]') == (["show"], "it's", "")
    assert powershell_typed("[\"show\",\"'it''s'\"]") == (["show"], "it's", "")
    assert powershell_typed('["show",""]') == (["show"], "", "")
    for nothing in ("[]", "", "null", "{"):
        assert powershell_typed(nothing) == ([], "", "")


def test_the_script_of_an_earlier_version_is_answered_with_nothing(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMP_WORDS", "sxeslake show m")
    monkeypatch.setenv("COMP_CWORD", "2")
    monkeypatch.setenv(COMPLETION_VARIABLE, "bash_complete")
    assert run([]) == 1
    assert capfd.readouterr() == ("", "")


def test_powershell_gets_quoted_text_in_ascii() -> None:
    plain, odd = Suggestion("map/1", help="a map"), Suggestion("it's $x ‘ü’", "open")
    text = answer("powershell", [plain, odd, Suggestion("", "file")], "")
    assert text.isascii()
    assert json.loads(text) == [
        {"kind": "plain", "text": "map/1", "name": "map/1", "help": "a map"},
        {"kind": "open", "text": "'it''s $x ‘‘ü’’'", "name": "it's $x ‘ü’", "help": ""},
        {"kind": "file", "text": "''", "name": "", "help": ""},
    ]
    for name in ("a b", "a,b", "@x", "a;b", "$x", "a`b", '"', "(x)", "%", "~x", "", "a\u00a0b", "–x"):
        assert powershell_quoted(name) == f"'{name}'"


def test_zsh_gets_values_and_help() -> None:
    found = [Suggestion("two words", help="said of it"), Suggestion("data/", "open"), Suggestion("", "dir")]
    assert answer("zsh", found, "") == "plain\ttwo words\tsaid of it\nopen\tdata/\ndir"
    assert typed("zsh", ["show", "ma"], "") == (["show"], "ma", "")
    assert typed("zsh", [], "") == ([], "", "")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_is_printed_by_the_command_and_by_the_variable(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    assert run(["completion", shell]) == 0
    printed, said = capfd.readouterr()
    assert COMPLETION_VARIABLE in printed
    assert said == "", "it runs whenever a shell starts"
    monkeypatch.setenv(COMPLETION_VARIABLE, f"{shell}_source")
    assert run([]) == 0
    assert capfd.readouterr().out == printed


def test_the_scripts_are_ascii_and_name_what_they_call() -> None:
    for shell, script in SCRIPTS.items():
        assert script.isascii()
        assert f"{shell}_complete" in script
    assert "Register-ArgumentCompleter -Native" in SCRIPTS["powershell"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_read_its_script(tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"NOT TESTED: {shell} is not installed")
    (tmp_path / "script").write_text(SCRIPTS[shell])
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True, timeout=20)
