"""Messages name options and commands as they are typed; who calls from Python reads them as arguments and methods.

in_python("`--force` writes over it.")            `force=True` writes over it.
in_python("`sxeslake members map@1` lists them.")  `lake.members("map@1")` lists them.

A message is written once, in the words of the command line. `said` gives it as it is while a command runs, and in the
words of Python otherwise. What is quoted belongs to the user and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_typed = 0  # commands that are running in this process


@contextmanager
def as_typed() -> Iterator[None]:
    """While a command of the command line runs: messages keep its words."""
    global _typed  # noqa: PLW0603 - whoever started the process is one fact of the process, whatever the thread
    _typed += 1
    try:
        yield
    finally:
        _typed -= 1


def said(text: str) -> str:
    """A message in the words of whoever reads it: as it is for the command line, else `in_python`."""
    return text if _typed else in_python(text)


def either(typed: str, python: str) -> str:
    """One of two texts, where the command line and Python do the same thing in different ways."""
    return typed if _typed else python


_FLAGS: Final = frozenset(
    {"all", "all-versions", "check-data", "data", "delete", "dry-run", "exact", "force", "merge", "quick", "raw",
     "remove", "resume", "skip-damaged", "tree"}
)  # fmt: skip
"""Options without a value: `--force` is `force=True`."""

_NAMES: Final = {
    "position": "positions", "analysis": "analyses", "member": "members", "storage-option": "storage_options",
    "all": "everything", "always": "any_cost", "from": "offers", "from-storage-option": "from_storage_options",
    "document-limit": "SXESLAKE_DOCUMENT_LIMIT", "retry-for": "retry_for_s",
    "lake": "url",
}  # fmt: skip
"""Options that have another name in Python."""

_SEVERAL: Final = frozenset({"positions", "analyses", "members", "types", "queries"})
"""Arguments that are lists."""

_METHODS: Final = {
    "query": "queries", "catalog rebuild": "rebuild_catalog", "copy": "copy_to",
    "calibration add": "add_calibration", "calibration list": "calibrations", "calibration show": "calibrations",
    "calibration remove": "remove_calibration", "identify": "classify", "formats": "READERS",
}  # fmt: skip
"""Commands whose method has another name."""

_OWNERS: Final = {
    "init": "sxeslake", "convert": "sxeslake", "plan": "sxeslake", "identify": "sxeslake.vendor.classify",
    "formats": "sxeslake.vendor.readers",
}  # fmt: skip
"""Where what a command does is no method of a lake."""

_ONLY_COMMANDS: Final = frozenset({"use", "completion", "help", "demo"})
"""Commands that Python has no method for."""

_PLACES: Final = {"tag": 2, "sync": 2}
"""Arguments that stand by their place, where there is more than one; names may hold blanks."""

_VALUED: Final = "any|all|never|always|auto|follow|keep|skip|zip|7z|folder|0"

_WORD: Final = re.compile(
    r"""(?P<code>`[^`]*`)"""
    r"""|(?P<quoted>"[^"]*"|(?<!\w)'[^']*')"""
    r"""|(?P<option>(?<![\w-])--[a-z][a-z-]*)"""
    rf"""(?P<value>\ (?:(?:{_VALUED})(?![\w.*])|[A-Z]{{2,}}\b|[a-z_]+=[A-Za-z]+))?""",
    re.VERBOSE,
)


def in_python(text: str) -> str:
    """The message with keyword arguments in place of options, and methods in place of commands."""
    return _WORD.sub(_word, text) if "--" in text or "`" in text else text


def _word(found: re.Match[str]) -> str:
    if found["quoted"] is not None:
        return found["quoted"]
    if found["code"] is not None:
        inner = found["code"][1:-1]
        if inner.startswith("--"):
            return f"`{_WORD.sub(_word, inner)}`"
        return f"`{_call(inner)}`"
    return _option(found["option"][2:], (found["value"] or "").strip())


def _option(name: str, value: str = "") -> str:
    """`force` → `force=True`; `kind`, `any` → `kind="any"`; `current-na` → `current_na`."""
    argument = _NAMES.get(name, name.replace("-", "_"))
    if name.endswith("storage-option") and "=" in value:
        key, _, setting = value.partition("=")
        return f'{argument}={{"{key}": {_argument(setting)}}}'
    if value:
        return f"{argument}=[{_argument(value)}]" if argument in _SEVERAL else f"{argument}={_argument(value)}"
    return f"{argument}=True" if name in _FLAGS or name == "always" else argument


def _call(command: str) -> str:
    """`sxeslake members map@1` → `lake.members("map@1")`; what is no command stays."""
    words = command.split(" ")
    named = words[0] == "sxeslake"
    words = words[named:]
    if not words or (not named and words[:2] != ["gc", "--grace"]) or words[0] in _ONLY_COMMANDS:
        return command
    verb = words.pop(0)
    if verb in ("catalog", "calibration") and words:
        verb += f" {words.pop(0)}"
    before = next((at for at, word in enumerate(words) if word.startswith("--")), len(words))
    plain, options = " ".join(words[:before]), words[before:]
    arguments = [_argument(part) for part in plain.rsplit(" ", _PLACES.get(verb, 1) - 1) if part]
    while options:
        name = options.pop(0).removeprefix("--")
        value = options.pop(0) if options and not options[0].startswith("--") else ""
        arguments.append(_option(name, value))
    owner = _OWNERS.get(verb, "lake")
    called = "" if verb == "formats" else f"({', '.join(arguments)})"
    return f"{owner}.{_METHODS.get(verb, verb)}{called}"


def _argument(value: str) -> str:
    """A placeholder such as FILE as it is, anything else as a text."""
    return value if value.isupper() and value.isalpha() else f'"{value}"'
