"""The one set of filters that `query`, `find`, `pull`, `export` and `plot` share: from words to values.

    chosen = Filters.parse({"kv": "5", "grating": "JS300N"})
    chosen.describe()              →  ["accelerating voltage 4.95..5.05 kV (5 ± 0.05 kV)", "grating JS300N"]
    chosen.condition("positions")  →  SQL over the table's columns, with every value bound, never pasted

Text is compared without regard to case; `*` and `?` are wildcards; several values of one filter are alternatives.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final

from sxeslake.catalog.query.conditions import Match, Over, SqlCondition, compile_condition
from sxeslake.catalog.query.filter_spec import ANY, BY_NAME, CURRENTS, FILTERS, KINDS, SETTINGS, Filter
from sxeslake.catalog.query.periods import period
from sxeslake.catalog.query.quantity import Range, Tolerance, parse_number, parse_range
from sxeslake.errors import UsageError
from sxeslake.text.suggest import did_you_mean
from sxeslake.text.wording import either


@dataclass(frozen=True, slots=True)
class Filters:
    """What was chosen: parsed values by filter name, in the order of FILTERS."""

    values: Mapping[str, Any] = field(default_factory=dict)
    match: Match = "all"
    written: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)  # `--kv 5` on the command line, `kv=5` in Python
    copies: bool = False  # every copy of a measurement counts; `library` folds them otherwise

    @classmethod
    def parse(cls, words: Mapping[str, object]) -> Filters:
        """From words as written, `{"kv": "4.9..5.1", "match": "any"}`; None and empty values choose nothing."""
        given = {_canonical(name): value for name, value in words.items() if value not in (None, "", (), [])}
        for name, value in given.items():
            check_text(value, BY_NAME[name].option if name in BY_NAME else name)
        copies = parse_flag(given.pop("copies", False), "--copies")
        match = str(given.pop("match", "all"))
        if match not in ("all", "any"):
            raise UsageError(
                f'"{match}" is neither all nor any.', where="--match", hint=did_you_mean(match, ("all", "any"))
            )
        tolerances = _tolerances(given)
        values: dict[str, Any] = {}
        written: dict[str, str] = {}
        options: dict[str, str] = {}
        for each in FILTERS:
            if each.name in given and (value := _parse(each, given[each.name], tolerances)) is not None:
                values[each.name] = value
                written[each.name] = _described(each, given[each.name], value, tolerances)
                options[each.name] = _as_options(each, given[each.name])
        return cls(values, "any" if match == "any" else "all", written, options, copies)

    def __bool__(self) -> bool:
        return bool(self.values)

    def describe(self) -> list[str]:
        """What was understood, a line a filter."""
        lines = [self.written[name] for name in self.values]
        return [*lines, "an analysis counts when any of its positions fits"] if self.match == "any" and lines else lines

    def condition(self, over: Over, alias: str | None = None) -> SqlCondition:
        """The condition on rows of `positions` or `analyses`, its columns qualified by `alias` (else the table)."""
        return compile_condition(self.values, self.match, over, alias or over)


def check_text(value: object, where: str) -> None:
    """Refuse a text, also one of several, that no database holds: a shell passes on any bytes."""
    for text in value if isinstance(value, list | tuple) else (value,):
        if isinstance(text, str) and not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
            raise UsageError("this is not UTF-8 text.", where=where)


def parse_flag(value: object, option: str) -> bool:
    """`yes` → True; UsageError for a word that is neither."""
    text = str(value).strip().casefold()
    if text in ("true", "yes", "on", "1"):
        return True
    if text in ("false", "no", "off", "0"):
        return False
    raise UsageError(f'"{value}" is neither true nor false.', where=option)


def filter_words(words: Mapping[str, object]) -> dict[str, object]:
    """The part of `words` that names filters and their settings."""
    return {name: value for name, value in words.items() if _plain(name) in BY_NAME or _plain(name) in SETTINGS}


def _plain(name: str) -> str:
    return name.removeprefix("--").replace("-", "_")


def _canonical(name: str) -> str:
    plain = _plain(name)
    if plain not in BY_NAME and plain not in SETTINGS:
        raise UsageError(f'there is no filter "{name}".', hint=did_you_mean(plain, [*BY_NAME, *SETTINGS]))
    return plain


def _tolerances(given: dict[str, object]) -> dict[str, Tolerance]:
    """The tolerance of each quantity, with those that were given; takes its words out of `given`."""
    found = {each.name: each.tolerance for each in FILTERS if each.tolerance}
    for word, names, percent in (("kv_tolerance", ("kv",), False), ("current_tolerance", CURRENTS, True)):
        if word in given:
            value = given.pop(word)
            number = parse_number(_number_or_text(value), "%" if percent else "kV", f"--{word.replace('_', '-')}")
            found |= dict.fromkeys(names, Tolerance(abs(number), percent))
    return found


def _number_or_text(value: object) -> str | float:
    return value if isinstance(value, int | float) else str(value)


def _parse(each: Filter, value: object, tolerances: Mapping[str, Tolerance]) -> Any:
    if each.type == "range":
        return parse_range(value, each.unit, each.option, tolerances.get(each.name))
    if each.type in _OF_TEXTS:
        _check_texts(value, each.option)
    return _PARSERS[each.type](value, each.option)


_OF_TEXTS: Final = frozenset({"words", "text", "kind", "types", "said"})


def _check_texts(value: object, option: str) -> None:
    """Refuse what Python can give and no option can: a number where a name belongs."""
    several = isinstance(value, Sequence | Set) and not isinstance(value, str | bytes)
    for each in value if several else (value,):  # type: ignore[attr-defined]
        if not isinstance(each, str):
            raise UsageError(f"{each!r} is not a text.", where=option, hint='Give "text" or ["one", "another"].')


def _alternatives(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, Sequence | Set) and not isinstance(value, str) else (value,)
    return tuple(str(each).strip() for each in values if str(each).strip())


def _kinds(value: object, option: str) -> tuple[str, ...] | None:
    """The kinds, None when one of the words is `any`."""
    found = tuple(kind.casefold() for kind in _alternatives(value))
    for kind in found:
        if kind not in KINDS and kind != ANY:
            raise UsageError(f'there is no kind "{kind}".', where=option, hint=did_you_mean(kind, (*KINDS, ANY)))
    return None if ANY in found else found


def _said(value: object, option: str) -> tuple[tuple[str, str], ...] | None:
    """`role=standard` → `("role", "standard")`; a key alone → any value."""
    found = []
    for word in _alternatives(value):
        key, _, wanted = (part.strip() for part in word.partition("="))
        if not key:
            raise UsageError(f'"{word}" names no key.', where=option, hint="Write KEY=VALUE, such as role=standard.")
        found.append((key, wanted or "*"))
    return tuple(found) or None


def _whole_number(value: object, option: str) -> int:
    number = parse_number(_number_or_text(value), None, option)
    if number != int(number) or number < 0:
        raise UsageError(f"{value} is not a whole number.", where=option)
    return int(number)


def parse_date(value: object, option: str) -> dt.datetime:
    """The start of what a date names: `2018-04` → 2018-04-01 00:00."""
    return period(value, option)[0]


def _described(each: Filter, written: object, value: Any, tolerances: Mapping[str, Tolerance]) -> str:
    """`accelerating voltage 4.95..5.05 kV (5 ± 0.05 kV)`."""
    if isinstance(value, Range):
        text = f"{each.label} {value.describe(each.unit)}"
        single = isinstance(written, int | float) or (
            isinstance(written, str) and not re.search(r"\.\.|±|\+/?-", written)
        )
        if single and (tolerance := tolerances.get(each.name)):
            return f"{text} ({written} ± {tolerance.value:g} {'%' if tolerance.percent else each.unit})"
        return text
    if each.type == "said":
        return f"{each.label} {' and '.join(f'{key}={wanted}' for key, wanted in value)}"
    shown = " or ".join(value) if isinstance(value, tuple) and each.type != "words" else written
    return f"{each.label} {' '.join(value) if each.type == 'words' else shown}"


def _as_options(each: Filter, written: object) -> str:
    """`--grating JS300N --grating JS50*`; a pair of a range as `--kv 4.9..5.1`. In Python as it was given, `kv=5`."""
    return either(_typed(each, written), f"{each.name}={written!r}")


def _typed(each: Filter, written: object) -> str:
    if each.type == "range" and isinstance(written, tuple | list):
        return f"{each.option} {'..'.join('' if end is None else str(end) for end in written)}"
    return " ".join(f"{each.option} {one}" for one in _alternatives(written))


_PARSERS: Final[Mapping[str, Callable[[object, str], Any]]] = {
    "integer": _whole_number,
    "since": lambda value, option: period(value, option)[0],
    "until": lambda value, option: period(value, option)[1],
    "kind": _kinds,
    "words": lambda value, _: tuple(word for text in _alternatives(value) for word in text.split()) or None,
    "text": lambda value, _: _alternatives(value) or None,
    "types": lambda value, _: _alternatives(value) or None,
    "said": _said,
}
