"""A document in which tables are made by a program: each between two markers, all else by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping


def filled(text: str, made: Mapping[str, str]) -> str:
    """The text with its tables between their markers, lines that say `<!-- name -->` and `<!-- /name -->`."""
    for name, table in made.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)", re.DOTALL)
        place = pattern.search(text)
        if place is None:
            raise ValueError(f"the document has no place for the table `{name}`")
        text = text[: place.end(1)] + table + text[place.start(2) :]
    return text
