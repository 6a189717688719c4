"""Messages and help in plain technical English: none of the retired words and turns of phrase."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import sxeslake
from sxeslake.cli.root import root

PACKAGE = Path(sxeslake.__file__).parent

RETIRED = {
    r"(?<!there )(?:is|are|was|were) no (?!longer\b)": '"is not a …"',
    r"(?<!there )\b(?:is|are) none\b(?! of)": '"is missing", "is invalid"',
    r"\bstand(?:s|ing)? (?:for|alone|here|before|beyond|beside|in|at)\b": '"is", "replaces", "cannot be combined with"',
    r"\b(?:nobody|somebody|whoever)\b": '"another process", "no reader"',
    r"\banew\b|\b(?:made|make) again\b": '"rebuilt"',
    r"\bbeside\b": '"next to", "other than", "cannot be combined with"',
    r"\bmend(?:s|ed|ing)?\b": '"repair"',
    r"\blets? go\b": '"deletes"',
    r"\bthe very\b": '"the original file"',
    r"\bsaid\b|\bwho says\b|\bnothing is said\b": '"annotations", "stated"',
    r"\bask(?:s|ed)? (?:for|of|about)\b|\bas asked\b": '"requested", "required"',
    r"\b(?:or )?say (?:--|which|where|so)": '"give"',
    r"\bgoes with\b": '"requires"',
    r"\bwould (?:go|move)\b": '"Show what would be …; change nothing."',
    r"\btaken? back\b|\btakes? \w+ away\b": '"removed"',
    r"\bfall together\b|\bhold together\b": '"collide", "inconsistent"',
    r"\bclimbs?\b|\bwithout end\b|\bbeyond (?:all|its|the)\b": '"leaves its folder", "nested too deeply", "too large"',
    r"\bpass(?:ed|es)? over\b": '"skip"',
    r"\bas far as\b|\bin vain\b|\bat its like\b|\bis at it\b": "plain words",
    r"\bso many\b": '"number of", the unit',
    r"\bis more (?:in|of) the\b": "plain words",
}
"""What no message and no help text says, and what it says instead."""

IN_CATALOGUES = "{} {} is no {}"
"""Of `archive/sxes/documents/fields`: a column of published catalogues holds it, and `verify` compares them."""

CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
"""Blocks and words of code in a page."""

PROSE = re.compile(r"[A-Za-z{}`'\"-]+ [a-z{}`-]+ \S")
"""Three words: shorter strings are keys, columns and the like."""


def strings(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Every string constant that is not a docstring, an f-string as one with {} for its values."""
    if isinstance(node, ast.JoinedStr):
        yield node.lineno, "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from strings(part.value)
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.lineno, node.value
    else:
        for child in ast.iter_child_nodes(node):
            if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):
                yield from strings(child)


def messages() -> Iterator[tuple[str, str]]:
    """Texts of the package, among them every error and hint, with their place."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for line, text in strings(ast.parse(path.read_text(encoding="utf-8"))):
            if PROSE.search(text):
                yield f"{path.relative_to(PACKAGE)}:{line}", text


def helps(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """The help of a command and of all below it, as it is printed."""
    yield context.command_path, " ".join(command.get_help(context).split())
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from helps(found, click.Context(found, parent=context, info_name=name))


def retired(texts: Iterator[tuple[str, str]]) -> list[str]:
    """The places of retired words, and what to write there."""
    return [
        f"{place}: {found[0]!r} in {text!r}: write {better}"
        for place, text in texts
        for word, better in RETIRED.items()
        if text != IN_CATALOGUES and (found := re.search(word, text, re.IGNORECASE))
    ]


def test_no_message_has_a_retired_word() -> None:
    assert len(list(messages())) > 2000
    assert retired(messages()) == []


def test_no_help_has_a_retired_word() -> None:
    texts = list(helps(root, click.Context(root, info_name="sxeslake")))
    assert len(texts) > 45
    assert retired(iter(texts)) == []


def pages() -> Iterator[tuple[str, str]]:
    """The lines of the documentation that people have written, without what stands in code."""
    folder = PACKAGE.parent
    for path in (folder / "README.md", folder / "CONTRIBUTING.md", *sorted((folder / "docs").rglob("*.md"))):
        if "made" not in path.parts:
            text = CODE.sub(lambda block: "\n" * block[0].count("\n"), path.read_text(encoding="utf-8"))
            for number, line in enumerate(text.splitlines(), 1):
                yield f"{path.relative_to(folder)}:{number}", line


def test_no_page_has_a_retired_word() -> None:
    assert len(list(pages())) > 1000
    assert retired(pages()) == []


@pytest.mark.parametrize(
    "text",
    ["'5X' is no size", "the origin is none", "an entry stands for it", "Say what would go", "nothing is said",
     "--format goes with -o", "a link, skipped as asked", "somebody made this", "it was made again"],
)  # fmt: skip
def test_what_is_retired_is_found(text: str) -> None:
    assert retired(iter([("here", text)]))


def test_raise_sites_are_among_the_messages() -> None:
    """The first text of an error is read, whatever module raises it."""
    read = {text for _, text in messages()}
    raised = 0
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                for _, text in strings(node.exc.args[0]):
                    if PROSE.search(text):
                        assert text in read
                        raised += 1
    assert raised > 400
