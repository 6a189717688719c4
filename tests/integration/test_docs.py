"""The documentation is true: sessions run as printed, the reference tells what there is, every page is found."""

from __future__ import annotations

import ast
import configparser
import importlib.util
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest
from support import sessions
from sybil import Sybil
from sybil.example import SybilFailure
from sybil.parsers.myst import PythonCodeBlockParser

from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.catalog.query.header import parse_query
from sxeslake.cli.root import SECTIONS, root
from sxeslake.cli.run import run

DOCS = Path(__file__).parents[2] / "docs"
README = DOCS.parent / "README.md"
PAGES = sorted(path for path in (README, *DOCS.rglob("*.md")) if "made" not in path.parts)
SHELL = [page for page in PAGES if "```console" in page.read_text(encoding="utf-8")]
PYTHON = [page for page in PAGES if ">>> " in page.read_text(encoding="utf-8")]


PYTHON_BLOCKS = Sybil(parsers=[PythonCodeBlockParser()])
"""Reads the blocks of Python of a page; those of one page share their names."""
PROGRAMS = (
    "sxeslake", "pip", "python3", "make", ".ci/run", "export", "eval", "iex",
    "az", "dask", "gcloud", "ssh",
    "cp", "install", "systemctl", "useradd",
)  # fmt: skip
"""What lines of a shell may call; those of `sxeslake` are parsed."""


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
    document = PYTHON_BLOCKS.parse(page)
    examples = list(document.examples())
    assert examples
    for example in examples:
        example.evaluate()


def test_a_session_that_is_not_true_is_noticed() -> None:
    (step,) = sessions.steps("```console\n$ sxeslake ls  # exit code 3\na … c\nd\n```\n")
    assert (step.words, step.exit_code) == (["ls"], 3)
    assert step.fits("a b c\nd\n")
    assert not step.fits("a b c\n")
    assert not step.fits("a b c\nd\ne\n")


def test_a_python_session_that_is_not_true_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("```python\n>>> 1 + 1\n3\n\n```\n", encoding="utf-8")
    (example,) = PYTHON_BLOCKS.parse(tmp_path / "page.md").examples()
    with pytest.raises(SybilFailure):
        example.evaluate()


def blocks() -> Iterator[tuple[Path, str, str]]:
    """Every block of code of the pages: page, language, text."""
    for page in (*PAGES, DOCS.parent / "CONTRIBUTING.md", DOCS.parent / "SECURITY.md"):
        for language, text in re.findall(r"^ *```(\S*)[^\n]*\n(.*?)^ *```", page.read_text("utf-8"), re.M | re.S):
            yield page, language, inspect.cleandoc(text)


def test_each_block_is_run_or_read_by_a_test() -> None:
    """Sessions and Python run; `sxeslake` lines are parsed (`test_packaging`); other texts are looked at here."""
    texts = []
    for page, language, text in blocks():
        if language == "sh":
            for line in text.replace("\\\n", " ").splitlines():
                words = line.split("#")[0].split()
                assert not words or words[0] in PROGRAMS, f"{name_of(page)}: {line}"
        elif language == "text":
            texts.append((page.name, text))
        elif language == "ini":  # units of systemd
            units = configparser.ConfigParser(strict=False)
            units.read_string(text)
            assert units.sections(), f"{name_of(page)}: {text}"
        else:
            assert language in ("console", "python", "{toctree}", ""), f"{name_of(page)}: {language}"
    assert sorted(name for name, _ in texts) == sorted(name for name, readers in READ.items() for _ in readers)
    for name, readers in READ.items():
        for reader, text in zip(readers, [text for page, text in texts if page == name], strict=True):
            reader(text)


def _reads_python(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            assert all(importlib.util.find_spec(each.name.partition(".")[0]) for each in node.names)


def _reads_query(text: str) -> None:
    assert parse_query("warm-camera", text, where="the page").over == "positions"


def _reads_nginx(text: str) -> None:
    """Each line is in the file that a test runs with a real nginx."""
    real = " ".join((DOCS.parent / "infra" / "nginx-lake.conf").read_text("utf-8").split())
    for directive in re.findall(r"[a-z_]+ +[^;{}]+;", text):
        assert " ".join(directive.split()) in real, directive


def _reads_crontab(text: str) -> None:
    *times, command = text.split(maxsplit=5)
    assert all(re.fullmatch(r"\*|\d+", time) for time in times)
    program, quiet, name, *words = shlex.split(command.partition(" >> ")[0])
    assert (program, quiet) == ("sxeslake", "--quiet")
    found = root.get_command(click.Context(root), name)
    assert found is not None
    found.make_context(name, words)


def _reads_batch(text: str) -> None:
    venv, install, demo = text.splitlines()
    folder = venv.split()[-1]
    assert install == f"{folder}\\Scripts\\pip install ."
    assert demo == f"{folder}\\Scripts\\sxeslake demo"


def _reads_schtasks(text: str) -> None:
    """The task that is named lies in infra/."""
    words = text.split()
    assert words[:2] == ["schtasks", "/Create"]
    assert (DOCS.parent / "infra" / "watch" / words[words.index("/XML") + 1]).is_file()


def _reads_doctor(text: str) -> None:
    """Lines of `doctor` with its verdict; the tests of the store run the command itself."""
    assert all(line.startswith("ok  ") for line in text.splitlines())
    assert "hardlink@openssh.com" in text


READ = {
    "hyperspy.md": (_reads_python,),
    "questions.md": (_reads_query,),
    "browser.md": (_reads_nginx,),
    "instrument-pc.md": (_reads_schtasks, _reads_crontab),
    "nas.md": (_reads_doctor,),
    "windows.md": (_reads_batch,),
}
"""Pages with texts that are no sessions, and what reads each."""


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
