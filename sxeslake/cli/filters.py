"""The shared filters as options: one declaration serves every command that chooses archives by what is in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import click

from sxeslake.catalog.query.filter_spec import FILTERS, SETTINGS, Filter
from sxeslake.cli.completion import suggest

_PREFIX = "filter_"  # apart from a command's own options, whatever those are called


def filter_options(*, hidden: bool = False, without: Collection[str] = ()) -> list[click.Parameter]:
    """An option for each filter, and for each setting of how filters are taken."""
    filters = [_filter_option(each, hidden=hidden) for each in FILTERS if each.name not in without]
    settings = [_setting_option(name, text, hidden=hidden) for name, text in SETTINGS.items() if name not in without]
    return [*filters, *settings]


def filter_words(values: Mapping[str, object]) -> dict[str, object]:
    """The filters that were given, by name, out of all that a command was called with."""
    found = {name.removeprefix(_PREFIX): value for name, value in values.items() if name.startswith(_PREFIX)}
    return {name: value for name, value in found.items() if value not in (None, ())}


def _filter_option(each: Filter, *, hidden: bool) -> click.Option:
    return click.Option(
        [each.option, _PREFIX + each.name],
        shell_complete=suggest.values(each.name),
        metavar=_METAVARS[each.type],
        multiple=each.several,
        help=each.help + (" Repeat for alternatives." if each.several and each.type not in ("types", "said") else ""),
        hidden=hidden,
    )


def _setting_option(name: str, text: str, *, hidden: bool) -> click.Option:
    flag, dest = _flag(name), _PREFIX + name
    if name in _METAVARS:
        complete = suggest.values(name)
        return click.Option([flag, dest], shell_complete=complete, metavar=_METAVARS[name], help=text, hidden=hidden)
    return click.Option([flag, dest], is_flag=True, default=None, help=text, hidden=hidden)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


_METAVARS = {
    "range": "RANGE", "text": "TEXT", "words": "WORDS", "kind": "KIND", "types": "TYPE", "integer": "N",
    "since": "DATE", "until": "DATE", "said": "KEY=VALUE", "match": "all|any",
    "kv_tolerance": "KV", "current_tolerance": "PERCENT",
}  # fmt: skip
