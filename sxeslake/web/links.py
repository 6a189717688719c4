"""Addresses: every one relative, so that the pages work below any prefix of any proxy; names stand in the query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus

Word = tuple[str, str]
"""A name and its value in a query string."""


def link(page: str, words: Mapping[str, object] | Iterable[Word] = (), /, **more: object) -> str:
    """`archive?of=2019%2Fmap%401`: a page beside this one; None and "" leave a word out, a list repeats it."""
    pairs = list(_pairs(words.items() if isinstance(words, Mapping) else words)) + list(_pairs(more.items()))
    text = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)
    return f"{page}?{text}" if text else page


def _pairs(words: Iterable[tuple[str, object]]) -> Iterable[Word]:
    for name, value in words:
        for each in value if isinstance(value, list | tuple) else [value]:
            if each is not None and each != "":
                yield name, f"{each:g}" if isinstance(each, float) else str(each)


def _quoted(text: str) -> str:
    return quote_plus(text, safe=":,./", errors="surrogatepass")


def changed(words: Iterable[Word], **values: object) -> list[Word]:
    """A query with some of its words replaced, or left out (None); `page` goes with the rows that it counted."""
    kept = [(name, value) for name, value in words if name not in values and name != "page"]
    return [*kept, *_pairs(values.items())]


def toggled(words: Iterable[Word], name: str, value: str) -> list[Word]:
    """A query with one more value of a word, or without it where it was there."""
    found = [pair for pair in words if pair[0] != "page"]
    kept = [pair for pair in found if pair != (name, value)]
    return kept if len(kept) < len(found) else [*found, (name, value)]
