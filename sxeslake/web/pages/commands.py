"""The command line and the line of Python that tell what a page shows: the page is a way to the tools, too."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sxeslake.text.safe import visible

if TYPE_CHECKING:
    from sxeslake.web.visit import Visit


def shell_line(
    visit: Visit, command: str, *arguments: str, filters: Mapping[str, object] | None = None, **options: object
) -> str:
    """`sxeslake query maps-by-beam-condition --kv 5`, quoted for a shell."""
    words = ["sxeslake", command, *arguments]
    for name, value in {**(filters or {}), **options}.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            if each is True:
                words.append(f"--{name.replace('_', '-')}")
            elif each not in (None, False, ""):
                words += [f"--{name.replace('_', '-')}", str(each)]
    if name_of(visit):
        words += ["--lake", name_of(visit)]
    return visible(" ".join(shlex.quote(word) for word in words))


def python_call(visit: Visit, call: str, words: Mapping[str, object] | None = None) -> str:
    """`lake.maps(kv='5')`; `call` is all before the closing bracket."""
    given = [f"{name}={value!r}" for name, value in (words or {}).items() if value not in (None, "")]
    opened = call if call.endswith("(") or not given else f"{call}, "
    return python_line(visit, f"{opened}{', '.join(given)})")


def python_line(visit: Visit, text: str) -> str:
    """Any expression over an open lake."""
    name = name_of(visit)
    return visible(f"lake = sxeslake.open({repr(name) if name else ''}); {text}")


def name_of(visit: Visit) -> str:
    """The lake as the command line names it; empty where it has no name but a place, which nobody is told."""
    return visit.served.title if visit.served.title in visit.options.named else ""
