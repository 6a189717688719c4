"""Messages in the words of whoever reads them: options on the command line, arguments in Python."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sxeslake
from sxeslake.cli import run
from sxeslake.errors import SxeslakeError, UsageError
from sxeslake.lake import Lake
from sxeslake.text.wording import as_typed, either, in_python, said

PACKAGE = Path(sxeslake.__file__).parent


@pytest.mark.parametrize(
    ("typed", "python"),
    [
        ("`--force` writes over it.", "`force=True` writes over it."),
        ("Choose `--container zip` or `7z`.", 'Choose `container="zip"` or `7z`.'),
        ("--member GLOB takes members.", "members=[GLOB] takes members."),
        ("--query and --sql cannot be combined.", "query and sql cannot be combined."),
        ("(--kind any removes it)", '(kind="any" removes it)'),
        ('--where "a = 5 -- no --x" fits', 'where "a = 5 -- no --x" fits'),
        ("no file '--force' in it", "no file '--force' in it"),
        ("with --storage-option verify=FILE.", 'with storage_options={"verify": FILE}.'),
        ("`sxeslake members 2020/steel carbide@1` lists", '`lake.members("2020/steel carbide@1")` lists'),
        ("`sxeslake tag a b@1 paper --remove`", '`lake.tag("a b@1", "paper", remove=True)`'),
        ("`sxeslake exact a@1 --always`", '`lake.exact("a@1", any_cost=True)`'),
        ("`gc --grace 0` deletes", '`lake.gc(grace="0")` deletes'),
        ("Run `sxeslake catalog rebuild`.", "Run `lake.rebuild_catalog()`."),
        ("Make one with `sxeslake init`.", "Make one with `sxeslake.init()`."),
        ("`sxeslake use NAME URL` adds it", "`sxeslake use NAME URL` adds it"),
        ("its `authority` -- a dash - stays", "its `authority` -- a dash - stays"),
    ],
)
def test_options_are_arguments_and_commands_are_methods(typed: str, python: str) -> None:
    assert in_python(typed) == said(typed) == python
    assert in_python(python) == python
    with as_typed():
        assert said(typed) == typed


def test_one_of_two_texts() -> None:
    assert either("-v", "the log") == "the log"
    with as_typed():
        assert either("-v", "the log") == "-v"


def test_an_error_speaks_to_whoever_made_it_and_text_of_others_stays() -> None:
    error = UsageError("say --query or --sql.", where="--sql", hint="`--force` helps.")
    assert str(error) == "sql: say query or sql. `force=True` helps."
    assert (error.what, error.where, error.hint) == ("say query or sql.", "sql", "`force=True` helps.")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    with as_typed():
        assert str(UsageError("say --query.", where="--sql")) == "--sql: say --query."
    quoted = UsageError("LINE 1: SELECT --x", has_lines=True)
    assert quoted.what == "LINE 1: SELECT --x"
    assert pickle.loads(pickle.dumps(quoted)).has_lines


def messages() -> Iterator[tuple[Path, int, str]]:
    """Every text below the command line that is handed to an error, or stands in a constant, values as `x`."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "cli" in path.relative_to(PACKAGE).parts or path.name in ("salvage.py", "wording.py"):
            continue  # the one speaks for itself, the other is a program of its own
        tree = ast.parse(path.read_text(encoding="utf-8"))
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
        documented = {id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, kinds) and node.body
                      and isinstance(node.body[0], ast.Expr)}  # fmt: skip
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if id(node) in documented or id(node) in parts:
                continue
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path, node.lineno, node.value
            elif isinstance(node, ast.JoinedStr):
                texts = [part.value if isinstance(part, ast.Constant) else "x" for part in node.values]
                yield path, node.lineno, "".join(map(str, texts))


TYPED = re.compile(r"(?<![\w-])--[a-z]|`sxeslake (?!use)[a-z]")


def test_no_message_of_the_package_keeps_an_option_or_a_command() -> None:
    found = [(path.name, line, text) for path, line, text in messages() if TYPED.search(text)]
    assert len(found) > 80  # it finds what there is
    assert not [each for each in found if TYPED.search(in_python(each[2]))]


def test_every_method_that_a_message_names_is_there() -> None:
    methods = {name for _, _, text in messages() for name in re.findall(r"`lake\.(\w+)\(", in_python(text))}
    assert len(methods) > 10
    assert methods <= set(dir(Lake))


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.txt").write_text(name)
    with sxeslake.init(str(tmp_path / "lake")) as lake:
        lake.ingest(tmp_path / "a", tree=True)
        lake.pull("a", tmp_path / "a.zip")
        lake.tag("a", "paper")
        yield lake


CALLS: dict[str, Callable[[Lake, Path], object]] = {
    "a file is there": lambda lake, at: lake.pull("a", at / "a.zip"),
    "a folder is there": lambda lake, at: lake.pull("a", f"{at}/b/"),
    "a result is there": lambda lake, at: lake.conditions().write(at / "b" / "x.txt", "csv", force=False),
    "no such sample": lambda lake, _: lake.show("c"),
    "no sample fits": lambda lake, _: lake.resolve(["c*"]),
    "no such member": lambda lake, _: lake.read("a", "y.txt"),
    "no member fits": lambda lake, at: lake.pull_part("a", at / "c.zip", members=["*.dat"]),
    "no group": lambda lake, at: lake.pull_part("a", at / "c.zip", positions=["1"]),
    "nothing said": lambda lake, at: lake.pull_part("a", at / "c.zip", types=[]),
    "a query and SQL": lambda lake, at: lake.pull_part(out=at / "c.plzip", query="find-text", sql="SELECT 1"),
    "an unreadable condition": lambda lake, at: lake.pull_part(out=at / "c.plzip", where="nonsense ="),
    "a number": lambda lake, _: lake.maps(kv="five"),
    "a setting": lambda lake, _: lake.maps(match="some"),  # type: ignore[arg-type]
    "a kind": lambda lake, _: lake.maps(kind="mpa"),
    "a date": lambda lake, _: lake.maps(since="never"),
    "an annotation": lambda lake, _: lake.maps(annotation="=x"),
    "a whole number": lambda lake, _: lake.maps(min_positions=-1),
    "a tolerance": lambda lake, _: lake.maps(kv=5, kv_tolerance="x"),
    "a column": lambda lake, _: lake.conditions().select(["nothing"]),
    "a query": lambda lake, _: lake.query("nothing-such"),
    "a word of a query": lambda lake, _: lake.query("find-text", nothing=1),
    "a word that a query needs": lambda lake, _: lake.query("find-text"),
    "a table": lambda lake, _: lake.schema("nothing"),
    "SQL": lambda lake, _: lake.sql("SELECT kv FROM positions"),
    "a rule": lambda lake, _: lake.forget("a", keep_last=0),
    "a tagged version": lambda lake, _: lake.forget("a"),
    "nothing forgotten": lambda lake, _: lake.restore("a"),
    "a tag that is taken": lambda lake, at: (lake.ingest(at / "b", tree=True, sample="a"), lake.tag("a@2", "paper")),
    "a folder of others": lambda lake, at: lake.sync("a", at / "lake", delete=True),
    "no archive": lambda lake, at: lake.ingest(at / "a"),
    "no original file": lambda lake, at: lake.pull("a", at / "c.zip", exact=True),
    "no lake": lambda _, at: sxeslake.open(str(at / "nothing")),
    "no name of a lake": lambda *_: sxeslake.open("nothing-such"),
    "an address": lambda *_: sxeslake.open("s3://bucket/lake?anon=1"),
    "no report": lambda lake, at: lake.verify_audit(at / "a" / "x.txt"),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_errors_of_calls_name_arguments_and_methods(lake: Lake, tmp_path: Path, name: str) -> None:
    with pytest.raises(SxeslakeError) as caught:
        CALLS[name](lake, tmp_path)
    assert not TYPED.search(str(caught.value)), str(caught.value)


def test_the_command_line_keeps_its_words(lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--lake", lake.url, "pull", "a", "-o", str(tmp_path / "a.zip")]) == 7
    assert "`--force` writes over it" in capsys.readouterr().err
    with pytest.raises(sxeslake.SxeslakeError, match="`force=True` writes over it"):
        lake.pull("a", tmp_path / "a.zip")
