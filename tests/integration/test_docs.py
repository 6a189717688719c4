"""The documentation is true: sessions run as printed, the reference tells what there is, every page is found."""

from __future__ import annotations

import doctest
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest
from support import sessions

from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.cli.root import SECTIONS, root
from sxeslake.cli.run import run

DOCS = Path(__file__).parents[2] / "docs"
README = DOCS.parent / "README.md"
PAGES = sorted(path for path in (README, *DOCS.rglob("*.md")) if "made" not in path.parts)
SHELL = [page for page in PAGES if "```console" in page.read_text(encoding="utf-8")]
PYTHON = [page for page in PAGES if ">>> " in page.read_text(encoding="utf-8")]


def name_of(page: Path) -> str:
    return page.relative_to(DOCS.parent).as_posix()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with settings, caches and an embedded lake of its own."""
    for variable, folder in (("SXESLAKE_CONFIG", "c"), ("SXESLAKE_CACHE", "k"), ("XDG_DATA_HOME", "d")):
        monkeypatch.setenv(variable, str(tmp_path / folder))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.delenv("SXESLAKE_LAKE", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)  # pytest-xdist sets it
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture(scope="module")
def from_code() -> ModuleType:
    spec = importlib.util.spec_from_file_location("from_code", DOCS / "from_code.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", SHELL, ids=name_of)
def test_the_shell_sessions_of_a_page_are_true(
    page: Path, place: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    synthetic_facility(place / "drive", seed=1, nx=4, ny=3)
    for step in sessions.steps(page.read_text(encoding="utf-8")):
        code = run(step.words)
        out, err = (stream.decode() for stream in capsysbinary.readouterr())
        assert code == step.exit_code, f"{step.line}\n{err}"
        told = re.sub(r"^(Lake: |\d+ of \d+ ).*\n", "", err, flags=re.MULTILINE)  # no page repeats these
        assert step.fits(out) or step.fits(told) or step.fits(out + told), f"{step.line}\n{out}\n--- stderr\n{err}"


@pytest.mark.parametrize("page", PYTHON, ids=name_of)
def test_the_python_sessions_of_a_page_are_true(page: Path, place: Path) -> None:
    result = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert result.attempted
    assert result.failed == 0


def test_a_session_that_is_not_true_is_noticed() -> None:
    (step,) = sessions.steps("```console\n$ sxeslake ls  # exit code 3\na … c\nd\n```\n")
    assert (step.words, step.exit_code) == (["ls"], 3)
    assert step.fits("a b c\nd\n")
    assert not step.fits("a b c\n")
    assert not step.fits("a b c\nd\ne\n")


def test_no_page_has_python_that_is_not_run() -> None:
    for page in PAGES:
        for block in re.findall(r"^```(?:python|py)\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            assert block.startswith(">>> "), f"{name_of(page)}: {block}"


def test_the_reference_has_every_command_and_option_and_no_other(from_code: ModuleType) -> None:
    pages: dict[str, str] = from_code.pages()
    shown = {name.removeprefix("commands/").removesuffix(".md") for name in pages if name.startswith("commands/")}
    names = {name for commands in SECTIONS.values() for name in commands}
    assert shown == names | {"index"}
    for name in names:
        command = root.get_command(click.Context(root), name)
        assert command is not None
        assert options_shown(pages[f"commands/{name}.md"]) == own_options(command), name
    shared = options_shown(pages["commands/index.md"])
    assert {"--lake", "--json", "--quiet", "--verbose"} <= shared


def options_shown(page: str) -> set[str]:
    """The long options at the head of the definitions of a page."""
    heads = re.findall(r"^`(.+)`\n: ", page, re.MULTILINE)
    return {word for head in heads for word in re.findall(r"--[a-z0-9-]+", head)}


def own_options(command: click.Command) -> set[str]:
    """The long options of a command and of its own commands, without those that every command takes."""
    shared = {option.name for option in root.params}
    found = {
        word
        for param in command.get_params(click.Context(command))
        if isinstance(param, click.Option) and not param.hidden and param.name not in shared
        for word in (*param.opts, *param.secondary_opts)
        if word.startswith("--")
    }
    children = command.commands.values() if isinstance(command, click.Group) else ()
    return found.union(*map(own_options, children))


def test_links_lead_somewhere_and_each_how_to_is_two_clicks_away(from_code: ModuleType) -> None:
    made = {DOCS / "reference" / "made" / name for name in from_code.pages()}
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            assert path.exists() or path in made, f"{name_of(page)} → {target}"
    assert "(howto/index.md)" in (DOCS / "index.md").read_text("utf-8")
    listed = (DOCS / "howto" / "index.md").read_text("utf-8")
    for page in (DOCS / "howto").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in listed, page.name


def test_the_pages_are_built_without_a_warning_and_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    for package in ("sphinx", "myst_parser", "numpydoc", "pydata_sphinx_theme"):
        pytest.importorskip(package, reason="the extra docs is not installed", exc_type=ImportError)
    built = tmp_path / "html"
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        "-d",
        str(tmp_path / "doctrees"),
    ]
    result = subprocess.run([*command, str(DOCS), str(built)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for page in built.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<(?:script|img|iframe)[^>]+src=\"(?:https?:)?//", text), page
        assert not re.search(r"<link[^>]+href=\"(?:https?:)?//", text), page
        assert not re.search(r"<[a-z][^>]* on[a-z]+=\"|javascript:", text), page  # the policy of /help forbids them
