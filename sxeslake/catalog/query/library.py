"""The query library: one `.sql` file a question, read from the package, an editable checkout, and a user's own folder.

    library = load([Path("my-queries")])
    bound = library.get("positions-near").bind({"sample": "CuFeS2", "x": "12.5", "y": "-3", "kv": "5"})
    connection.sql(bound.sql, params=bound.parameters)

Only the product's own queries are `trusted` to run in this process; a folder's go to the sandbox, like free SQL.

A file is plain SQL that any DuckDB shell runs once its parameters are set. Its leading comment declares the rest;
`header.py` has the grammar. `/* filters: analyses a */ true` is where the shared filters go: conditions on the columns
of `a`, an alias of `analyses`. There, too, copies of what fits are left out (`copies.py`). What else chooses rows
before that stands in brackets in place of `true`, on columns of `a` alone:
`/* filters: analyses a */ (a.session = $session)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from sxeslake.catalog.query.conditions import Over
from sxeslake.catalog.query.copies import copies_among, without_copies
from sxeslake.catalog.query.filter_spec import BY_NAME, SETTINGS
from sxeslake.catalog.query.filters import Filters, check_text, filter_words
from sxeslake.catalog.query.header import FILTER_MARK, Query, mark_end, parse_query
from sxeslake.errors import InputError, NotFoundError, UsageError
from sxeslake.text.suggest import did_you_mean
from sxeslake.text.wording import said

SUFFIX = ".sql"
QUERY_BYTES = 256 * 1024
"""Longest query: no person writes more."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A query ready to run: SQL, the values it binds, and what was understood, for people."""

    name: str
    title: str
    sql: str
    parameters: Mapping[str, object]
    notes: tuple[str, ...] = ()
    trusted: bool = True
    show: tuple[str, ...] = ()
    over: Over | None = None
    chosen: Filters = field(default_factory=Filters)
    asked: tuple[str, ...] = ()  # the query's own parameters as they were given: `text iron oxide`
    copies: str | None = None  # SELECT of the copies that are left out; None where none are
    unfolded: str = ""  # the SQL that counts every copy
    folds_copies: bool = False  # the answer's column `copies` counts them

    def counting_all(self) -> Bound:
        """The same where every copy counts, or where there are none."""
        return self if self.copies is None else replace(self, sql=self.unfolded, copies=None)


@dataclass(frozen=True, slots=True)
class Library:
    """The queries by name."""

    queries: Mapping[str, Query]

    def __iter__(self) -> Iterator[Query]:
        return iter(self.queries.values())

    def get(self, name: str) -> Query:
        """The query of that name; NotFoundError names the nearest."""
        query = self.queries.get(name) or self.queries.get(name.replace("_", "-"))
        if query is None:
            hint = did_you_mean(name, self.queries) or "`sxeslake query` lists them."
            raise NotFoundError(f'there is no query "{name}".', hint=hint)
        return query

    def bind(self, name: str, words: Mapping[str, object]) -> Bound:
        """The query with parameters and filters taken from `words`."""
        return bind(self.get(name), words)


def load(folders: Sequence[Path] = ()) -> Library:
    """The library: the product's own queries, and those of `folders`; no two have one name."""
    queries = {query.name: query for query in _own_queries()}
    for folder in folders:
        if not folder.is_dir():
            raise NotFoundError("there is no such folder of queries.", where=folder)
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            query = parse_query(path.stem, _text(path), where=path)
            other = queries.get(query.name)
            if other is not None and other.source != query.source:  # a folder may be named twice
                whose = "the library" if other.trusted else f"the file {other.source}"
                raise UsageError(
                    f'{whose} has a query "{query.name}", too.', where=path, hint="Rename the file: mine-NAME.sql."
                )
            queries[query.name] = query
    return Library(dict(sorted(queries.items())))


def _own_queries() -> list[Query]:
    """From the wheel's `sxeslake/queries`, or a checkout's top-level `queries/`."""
    shipped = Path(__file__).parents[2] / "queries"
    folder = shipped if shipped.is_dir() else Path(__file__).parents[3] / "queries"
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    return [parse_query(path.stem, _text(path), where=path, trusted=True) for path in paths]


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise NotFoundError("this query is not a file.", where=path)
        with path.open("rb") as file:
            data = file.read(QUERY_BYTES + 1)
        if len(data) > QUERY_BYTES:
            raise InputError(f"this query is longer than {QUERY_BYTES // 1024} KiB.", where=path)
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise InputError(f"this query is not UTF-8 text: {error.reason} at byte {error.start}.", where=path) from None
    except OSError as error:
        raise NotFoundError(f"this query cannot be read: {error.strerror}.", where=path) from None


# From words to values.


def bind(query: Query, words: Mapping[str, object]) -> Bound:
    """Split `words` into the query's parameters and the shared filters; UsageError for any that is neither."""
    given = {name.removeprefix("--").replace("-", "_"): value for name, value in words.items()}
    own = {parameter.name: parameter for parameter in query.parameters}
    filters = {name: value for name, value in filter_words(given).items() if name not in own} if query.over else {}
    for name, value in given.items():
        check_text(value, f"--{name.replace('_', '-')}")
        if name not in own and name not in filters and value is not None:
            raise _unknown_word(query, name)
    if query.one_of and all(given.get(name) in (None, "") for name in query.one_of):
        options = " or ".join(f"--{name.replace('_', '-')}" for name in query.one_of)
        raise UsageError(f'the query "{query.name}" needs {options}.', hint=query.help)
    values: dict[str, object] = {}
    notes: list[str] = []
    for parameter in query.parameters:
        values |= parameter.value(given.get(parameter.name), query.name)
        if given.get(parameter.name) is not None:
            notes.append(f"{parameter.name} {_shown(given[parameter.name], parameter.unit)}")
    chosen = Filters.parse({**query.defaults, **_given_only(filters)})
    marked = _with_filters(query, chosen)
    values |= marked.parameters
    if query.counts_filters:
        values["filtered"] = bool(chosen)
    if query.folds_copies:
        values["copies"] = chosen.copies
    folds = not chosen.copies and not query.folds_copies and marked.copies is not None
    understood = (*notes, *_filter_notes(query, chosen, filters))
    return Bound(
        query.name, query.title, marked.folded if folds else marked.plain, values, understood, query.trusted,
        query.show, query.over, chosen, tuple(notes), marked.copies if folds else None, marked.plain,
        query.folds_copies and not chosen.copies,
    )  # fmt: skip


def _unknown_word(query: Query, name: str) -> UsageError:
    known = [parameter.name for parameter in query.parameters]
    if query.over:
        known += [*BY_NAME, *SETTINGS]
    elif name in BY_NAME:
        return UsageError(
            f'the query "{query.name}" takes no filters, and "{name}" is one.', hint=did_you_mean(name, known)
        )
    hint = did_you_mean(name, known) or (None if known else "It takes none.")
    return UsageError(f'the query "{query.name}" has no parameter "{name}".', hint=hint)


def _given_only(filters: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in filters.items() if value not in (None, "", (), [])}


def _filter_notes(query: Query, chosen: Filters, given: Mapping[str, Any]) -> list[str]:
    """What the filters mean; those that the query brought itself say how to remove them."""
    notes = chosen.describe()
    if "kind" in query.defaults and "kind" in chosen.values and not _given_only(given).get("kind"):
        kind = chosen.written["kind"]
        notes[notes.index(kind)] = said(f"{kind} (set by this question; {BY_NAME['kind'].option} any removes it)")
    return notes


class _Marked(NamedTuple):
    """A query's SQL with the condition in place of each filter mark: with every copy, and without copies."""

    plain: str
    folded: str
    parameters: Mapping[str, object]
    copies: str | None  # SELECT of those of the first mark


def _with_filters(query: Query, chosen: Filters) -> _Marked:
    """Both forms of the SQL; the SELECT of copies has of a user's own query no SQL but that of the filters."""
    values: dict[str, object] = {}
    plain: list[str] = []
    folded: list[str] = []
    copies: str | None = None
    end = 0
    for mark in FILTER_MARK.finditer(query.sql):
        over: Over = "analyses" if mark["over"].lower() == "analyses" else "positions"
        alias = mark["alias"] or over
        made = chosen.condition(over, alias)
        place = len(values)  # makes names unique among several marks of one query: $f1 → $f1_0
        values.update({f"{name}_{place}": value for name, value in made.parameters.items()})
        filters = re.sub(r"\$(f\d+)", rf"$\1_{place}", made.sql)
        behind = mark_end(query.sql, mark)
        condition = f"{query.sql[mark.start('own') : behind]} AND {filters}" if mark["own"] else filters
        between = query.sql[end : mark.start()]
        plain += [between, f"({condition})"]
        folded += [between, without_copies(over, alias, condition)]
        copies = copies or copies_among(over, alias, condition if query.trusted else filters)
        end = behind
    rest = query.sql[end:]
    return _Marked("".join([*plain, rest]), "".join([*folded, rest]), values, copies)


def _shown(value: object, unit: str | None) -> str:
    """A value as given; a bare number with its unit: `0.1 mm`."""
    bare = isinstance(value, int | float) or (isinstance(value, str) and re.fullmatch(r"[-+.\deE]+", value))
    return f"{value} {unit}" if unit and bare else str(value)
