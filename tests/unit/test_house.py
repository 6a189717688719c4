"""How the package is built: no circles, no class name with two meanings, no room in which nothing is found."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import sxeslake

PACKAGE = Path(sxeslake.__file__).parent
SOURCES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
MAX_FILES = 20
COMMANDS = PACKAGE / "cli" / "commands"  # one file a command


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


def imports(nodes: list[ast.stmt], base: list[str]) -> Iterator[str]:
    """The modules that these statements import, those inside functions too; not those for type checkers alone."""
    for node in nodes:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from imports(node.orelse, base)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = [*base[: len(base) - node.level + 1], node.module or ""] if node.level else [node.module or ""]
            home = ".".join(filter(None, package))
            for alias in node.names:
                yield name if (name := f"{home}.{alias.name}") in MODULES else home
        else:
            for field in ("body", "orelse", "finalbody", "handlers", "cases"):
                yield from imports(getattr(node, field, []), base)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for name, path in MODULES.items():
        base = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
        found = set(imports(SOURCES[path].body, base))
        graph[name] = {module for module in found & MODULES.keys() if module != name}
    assert sum(map(len, graph.values())) > 1000
    TopologicalSorter(graph).prepare()  # CycleError names the circle


def test_no_class_name_has_two_meanings() -> None:
    homes = defaultdict(list)
    for path, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                homes[node.name.lstrip("_")].append(module_of(path))
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_no_folder_has_more_files_than_a_reader_takes_in() -> None:
    counts = {folder: len(list(folder.glob("*.py"))) for folder in {path.parent for path in SOURCES} - {COMMANDS}}
    assert {str(folder): count for folder, count in counts.items() if count > MAX_FILES} == {}


def test_the_page_on_architecture_names_what_there_is() -> None:
    page = (PACKAGE / "ARCHITECTURE.md").read_text(encoding="utf-8")
    tree = page.split("## Packages in detail")[0]
    for child in sorted({path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in SOURCES}):
        assert child.startswith("__") or child in tree, child
    walked = page.split("## One archive in")[1].split("## Glossary")[0]
    for words in walked.split("`")[1::2]:
        if "/" in words and " " not in words and not words.startswith("-"):
            assert (PACKAGE / words).is_dir() or (PACKAGE / f"{words}.py").is_file(), words
