"""The pages of the reference that are made from the code: commands, Python API, questions, catalogue, formats.

`conf.py` writes them into `reference/made/` before each build; nothing there is edited or committed.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

from sxeslake.catalog.query.library import load
from sxeslake.catalog.schema.tables import TABLES
from sxeslake.cli.options import global_options
from sxeslake.cli.root import SECTIONS, root
from sxeslake.errors import SxeslakeError
from sxeslake.vendor.readers import READERS

DOCS = Path(__file__).parent
CHECKOUT = DOCS.parent
TEXTS = {
    "sxeslake/FORMAT.md": "format",
    "sxeslake/ARCHIVE.md": "archive",
    "sxeslake/ARCHITECTURE.md": "architecture",
    "infra/aws.md": "aws",
    "infra/OPERATIONS.md": "operations",
    "infra/SCALING.md": "scaling",
}
"""Documents that stand beside what they describe, each with the name of its page."""

MODULES = {
    "sxeslake": "The lake and everything that it gives.",
    "sxeslake.archive": "The exchange format, without a lake.",
    "sxeslake.lines": "X-ray lines of elements.",
    "sxeslake.hyperspy": "A reader for HyperSpy.",
}


def pages() -> dict[str, str]:
    """Every page, by its path below `reference/made`."""
    made = {"commands/index.md": commands_index()}
    for name, command in commands():
        made[f"commands/{name}.md"] = command_page(name, command)
    for module, title in MODULES.items():
        made[f"python/{module}.md"] = module_page(module, title)
    made["python/errors.md"] = errors_page()
    made["questions.md"] = questions_page()
    made["catalogue.md"] = catalogue_page()
    made["vendor-formats.md"] = vendor_page()
    for file, name in TEXTS.items():
        made[f"{name}.md"] = taken_over((CHECKOUT / file).read_text(encoding="utf-8"))
    return made


def write(folder: Path) -> None:
    """Write the pages that changed, and remove those that are made no more."""
    made = pages()
    for path in set(folder.rglob("*.md")) - {folder / name for name in made}:
        path.unlink()
    for name, text in made.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def commands() -> Iterator[tuple[str, click.Command]]:
    """The commands in the order of `sxeslake --help`."""
    context = click.Context(root, info_name="sxeslake")
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        yield name, command


def commands_index() -> str:
    """All commands in a table a heading, and the options that each takes."""
    lines = ["# Commands", ""]
    for heading, names in SECTIONS.items():
        lines += [f"## {heading}", "", "| command | |", "|---|---|"]
        lines += [f"| [`{name}`]({name}.md) | {summary} |" for name, summary in names.items()]
        lines.append("")
    lines += ["## Options of every command", "", "They stand before or after the command's name.", ""]
    lines += options(global_options(), click.Context(root, info_name="sxeslake"))
    every = [name for names in SECTIONS.values() for name in names]
    return "\n".join([*lines, "```{toctree}", ":hidden:", *every, "```", ""])


def command_page(name: str, command: click.Command, title: str = "sxeslake", level: int = 1) -> str:
    """The page of a command: what it does, its usage, options and example; commands of a command follow it."""
    context = click.Context(command, info_name=f"{title} {name}")
    help_text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    lines = [f"{'#' * level} {title} {name}", "", _prose(help_text), ""]
    lines += ["```text", command.get_usage(context).removeprefix("Usage: "), "```", ""]
    shared = {option.name for option in global_options()}
    own = [param for param in command.get_params(context) if param.name not in shared]
    lines += options(own, context)
    if level == 1:
        lines += ["And the [options of every command](index.md#options-of-every-command).", ""]
    example = getattr(command, "example", "")
    if example:
        lines += [f"**{'Examples' if len(example.splitlines()) > 1 else 'Example'}**", "", "```sh", example, "```", ""]
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            lines.append(command_page(child, found, f"{title} {name}", level + 1))
    return "\n".join(lines)


def options(params: list[click.Parameter], context: click.Context) -> list[str]:
    """A definition a line for each option that is shown in the help."""
    lines = []
    for param in params:
        record = param.get_help_record(context) if isinstance(param, click.Option) else None
        if record is not None:
            names, text = record
            lines += [f"`{names}`", f": {_prose(text)}", ""]
    return lines


def _prose(text: str) -> str:
    """Plain words as Markdown: `*` and `<` stand for themselves outside of backticks; options stand in them."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<>\[\]$#|~])", r"\\\1", part) for part in parts)


def module_page(module: str, title: str) -> str:
    """A section a public name: functions first, then classes, then what else the module offers."""
    home = import_module(module)
    directives: dict[str, list[str]] = {"function": [], "class": [], "data": []}
    for name in home.__all__:
        thing = getattr(home, name)
        if inspect.isclass(thing) and issubclass(thing, BaseException):
            continue
        if not name.startswith("__"):
            directives["class" if inspect.isclass(thing) else "function" if callable(thing) else "data"].append(name)
    lines = [f"# {module}", "", title, ""]
    for kind, names in directives.items():
        for name in names:
            index = ":no-index:\n" if module == "sxeslake.archive" and name in _face() else ""
            members = ":members:\n:inherited-members: Exception, tuple, HtmlRecord\n" if kind == "class" else ""
            lines += [f"## {name}", "", "```{eval-rst}", f".. auto{kind}:: {module}.{name}"]
            lines += [f"   {line}" for line in (index + members).splitlines()]
            lines += ["```", ""]
    return "\n".join(lines)


def _face() -> set[str]:
    """The names of the package's root."""
    return set(import_module("sxeslake").__all__)


def errors_page() -> str:
    """Every kind of error with its exit code."""
    lines = ["# Errors", "", "Each kind has an exit code of its own on the command line.", ""]
    home = import_module("sxeslake")
    kinds = [getattr(home, name) for name in home.__all__ if name.endswith("Error")]
    for kind in sorted(kinds, key=lambda kind: (kind.exit_code, kind is not SxeslakeError, kind.__name__)):
        lines += [f"## {kind.__name__}", "", f"Exit code {kind.exit_code}.", ""]
        lines += ["```{eval-rst}", f".. autoexception:: sxeslake.{kind.__name__}", "   :show-inheritance:", "```", ""]
    return "\n".join(lines)


def questions_page() -> str:
    """The library of questions with their parameters."""
    lines = ["# Questions", "", "`sxeslake query NAME` asks one; `sxeslake query NAME --help` lists its filters.", ""]
    for query in load():
        lines += [f"## {query.name}", "", f"{_prose(query.title)}. {_prose(' '.join(query.help.split()))}", ""]
        if query.over:
            lines += [f"Takes the shared filters over `{query.over}`.", ""]
        for parameter in query.parameters:
            unit = f", {parameter.unit}" if parameter.unit else ""
            lines += [f"`--{parameter.name.replace('_', '-')}` ({parameter.type}{unit})", f": {_prose(parameter.help)}"]
            lines.append("")
        if query.show:
            lines += ["Shows " + ", ".join(f"`{column}`" for column in query.show) + ".", ""]
    return "\n".join(lines)


def catalogue_page() -> str:
    """Every table and column of the catalogue."""
    lines = ["# Tables of the catalogue", "", "`sxeslake schema TABLE` and `lake.schema()` tell the same.", ""]
    for table in TABLES:
        lines += [f"## {table.name}", "", _prose(table.help), "", "| column | type | unit | meaning | from |"]
        lines.append("|---|---|---|---|---|")
        for column in table.columns:
            origin = ", ".join(filter(None, (column.source, column.conversion)))
            words = [f"`{column.name}`", column.type, column.unit or "", _prose(column.help), _prose(origin)]
            lines.append("| " + " | ".join(words) + " |")
        lines.append("")
    return "\n".join(lines)


def vendor_page() -> str:
    """The formats of instruments, and how each reader was verified."""
    lines = [
        "# Formats of instruments",
        "",
        "Files are recognised by content. `sxeslake formats` prints this list.",
        "",
    ]
    for reader in READERS:
        lines += [f"`{reader.name}`", f": {_prose(reader.title)}. Verified: {_prose(reader.verified)}", ""]
    return "\n".join(lines)


def taken_over(text: str) -> str:
    """A document of the package, with links to its neighbours that lead to their pages."""
    names = {Path(file).name: name for file, name in TEXTS.items()}

    def target(match: re.Match[str]) -> str:
        words, file = match.groups()
        return f"[{words}]({names[file]}.md)" if file in names else words

    linked = re.sub(r"\[([^\]]*)\]\((?!https?:|#)([^)#]+)\)", target, text)
    return linked.replace("```hex", "```text")  # no highlighter knows the word
