"""What is shipped: the wheel's contents, and a README that says what the commands say."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest

import sxeslake
from sxeslake.cli.commands.help import TASKS
from sxeslake.cli.root import SECTIONS, root

CHECKOUT = Path(__file__).parents[2]
README = CHECKOUT / "README.md"
DOCS = sorted(path for path in (CHECKOUT / "docs").rglob("*.md") if "made" not in path.parts)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_the_package_whole(wheel: zipfile.ZipFile) -> None:
    package = CHECKOUT / "sxeslake"
    expected = {
        path.relative_to(CHECKOUT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    queries = {f"sxeslake/queries/{path.name}" for path in (CHECKOUT / "queries").glob("*.sql")}
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    helping = {name for name in shipped if name.startswith("sxeslake/help/")}
    assert shipped - helping == expected | queries
    assert bool(helping) == (CHECKOUT / "build" / "docs" / "index.html").is_file()
    assert {"sxeslake/py.typed", "sxeslake/FORMAT.md", "sxeslake/ARCHIVE.md"} <= shipped


def test_the_wheel_takes_the_pages_that_are_built_and_nothing_else(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("wheel_hook", CHECKOUT / "docs" / "wheel_hook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    hook = module.HelpPages(str(tmp_path), {}, None, None, str(tmp_path), "wheel")
    without: dict[str, dict[str, str]] = {"force_include": {}}
    hook.initialize("standard", without)
    built = tmp_path / "build" / "docs"
    for name in ("index.html", "howto/index.html", "_static/a.js", "_static/a.js.map", ".doctrees/x", ".buildinfo"):
        (built / name).parent.mkdir(parents=True, exist_ok=True)
        (built / name).write_text("x")
    made: dict[str, dict[str, str]] = {"force_include": {}}
    hook.initialize("editable", made)
    assert without == made == {"force_include": {}}
    hook.initialize("standard", made)
    wanted = ("_static/a.js", "howto/index.html", "index.html")
    assert made["force_include"] == {str(built / name): f"sxeslake/help/{name}" for name in wanted}


def test_the_wheel_names_its_command_version_and_licence(wheel: zipfile.ZipFile) -> None:
    about = f"sxeslake-{sxeslake.__version__}.dist-info"
    assert "sxeslake = sxeslake.cli:program" in wheel.read(f"{about}/entry_points.txt").decode()
    metadata = wheel.read(f"{about}/METADATA").decode()
    assert f"\nVersion: {sxeslake.__version__}\n" in metadata
    assert "\nLicense-Expression: MIT\n" in metadata
    assert f"{about}/licenses/LICENSE" in wheel.namelist()


def test_the_readme_lists_every_command() -> None:
    rows = [f"| {heading} | {' '.join(f'`{name}`' for name in names)} |" for heading, names in SECTIONS.items()]
    shown = re.findall(r"^\| [A-Z][a-z ]+ \| `.+` \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert shown == rows, "the README's table should be:\n" + "\n".join(rows)


def command_lines() -> list[str]:
    """Every `sxeslake …` line in blocks of README and documentation, and of the commands' own examples."""
    texts = [page.read_text(encoding="utf-8") for page in (README, *DOCS)]
    blocks = [
        b for text in texts for b in re.findall(r"^```(?:sh|console)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    ]
    lines = [line.removeprefix("$ ").strip() for block in blocks for line in block.splitlines()]
    context = click.Context(root)
    for name in root.list_commands(context):
        lines += getattr(root.get_command(context, name), "example", "").replace("\\\n", "").splitlines()
    lines += [line for _, tasks in TASKS for _, line in tasks]
    return [line.partition("  #")[0].partition(" > ")[0] for line in lines if line.startswith("sxeslake ")]


@pytest.mark.parametrize("line", sorted(set(command_lines())))
def test_every_command_line_shown_can_be_parsed(line: str) -> None:
    words = shlex.split(line)[1:]
    if words == ["--help"] or "--no-such-option" in words:
        return
    context = click.Context(root, info_name="sxeslake")
    command = root.get_command(context, words[0])
    assert command is not None, line
    command.make_context(words[0], words[1:], parent=context)


def test_links_of_the_documents_lead_somewhere() -> None:
    folders = (CHECKOUT, CHECKOUT / "sxeslake", CHECKOUT / "infra")
    for document in [path for folder in folders for path in folder.glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} → {target}"


def test_the_public_face_is_sorted_and_there() -> None:
    assert list(sxeslake.__all__) == sorted(sxeslake.__all__)
    for name in sxeslake.__all__:
        assert getattr(sxeslake, name) is not None
    assert set(sxeslake.__all__) <= set(dir(sxeslake))
