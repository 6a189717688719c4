"""What may stand where a command wants a name: samples, files of archives, lakes, tables, questions, values.

All of it comes from this machine: the configuration, the folded log and the catalogue as the last command left them.
Nothing opens a lake. Each function is a `shell_complete` of click.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from sxeslake.cli.app import App
from sxeslake.errors import SxeslakeError

if TYPE_CHECKING:
    from sxeslake.vault.local.remembered import Remembered

# Everything else is imported where it is needed: this module is loaded with every command.

Items = list[CompletionItem]
Suggest = Callable[[click.Context, click.Parameter, str], Items]

_MANY = 500
"""More samples than that are offered folder by folder."""

GOES_ON = "open"
"""The type of an item that more is to follow, without a blank: `data/`, `role=`."""


def _starting(names: Iterable[str], incomplete: str) -> Items:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def remembered_lake(ctx: click.Context, word: str | None = None) -> Remembered | None:
    """What is remembered of a lake: that of this call, or the one that a word means."""
    from sxeslake import settings  # noqa: PLC0415
    from sxeslake.storage.address import parse  # noqa: PLC0415
    from sxeslake.vault.local import remembered  # noqa: PLC0415

    given = ctx.find_object(App) or App()
    try:
        url, _ = settings.resolve_lake(word or given.word)
        return remembered.find(settings.lakes_cache_dir(), parse(url).public)
    except SxeslakeError:  # no lake of that name: nothing to offer
        return None


# --- samples -----------------------------------------------------------------------------------------------------


def sample(ctx: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Samples; behind an `@` their versions and tags."""
    return _samples(remembered_lake(ctx), incomplete, "live")


def source_sample(ctx: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """The same of the lake that is the command's argument SRC."""
    return _samples(remembered_lake(ctx, ctx.params.get("source")), incomplete, "live")


def forgotten_sample(ctx: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """The same of what was forgotten."""
    return _samples(remembered_lake(ctx), incomplete, "forgotten")


def _samples(known: Remembered | None, incomplete: str, status: str) -> Items:
    if known is None:
        return []
    names = known.samples(incomplete, status=status)
    name, at, _ = incomplete.rpartition("@")
    if at:
        numbers = known.versions(name, status=status)
        tags = [tag for tag, number in known.tags(name).items() if number in numbers]
        names += [f"{name}@{word}" for word in (*numbers, *tags)]
    return _by_folder(names, incomplete) if len(names) > _MANY else _starting(names, incomplete)


def sample_name(ctx: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Samples without versions."""
    known = remembered_lake(ctx)
    return [] if known is None else _starting(known.samples(incomplete), incomplete)


def tag(ctx: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """The tags of the sample that is named."""
    known, ref = remembered_lake(ctx), str(ctx.params.get("ref") or "")
    if known is None:
        return []
    return _starting(known.tags(ref) or known.tags(ref.rpartition("@")[0]), incomplete)


def member(ctx: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """The files in the sample that is named, folder by folder."""
    known = remembered_lake(ctx)
    refs = ctx.params.get("ref") or ctx.params.get("refs") or ()
    refs = [refs] if isinstance(refs, str) else refs
    if known is None:
        return []
    return _by_folder([path for ref in refs for path in known.members(ref)], incomplete)


def _by_folder(paths: Iterable[str], incomplete: str) -> Items:
    """The paths that begin so, each up to the next slash: `data/`, then what is in it."""
    steps: dict[str, None] = {}
    for path in paths:
        if path.startswith(incomplete) and path != incomplete:
            slash = path.find("/", len(incomplete))
            steps[path if slash < 0 else path[: slash + 1]] = None
    return [CompletionItem(step, type=GOES_ON if step.endswith("/") else "plain") for step in steps]


def annotation(ctx: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """KEY=VALUE as it was said before."""
    known = remembered_lake(ctx)
    if known is None:
        return []
    said = known.annotations()
    if "=" in incomplete:
        return _starting([f"{key}={value}" for key, value in said], incomplete)
    keys = dict.fromkeys(key for key, _ in said)
    return [CompletionItem(f"{key}=", type=GOES_ON) for key in keys if key.startswith(incomplete)]


def calibration(ctx: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Ids of registered calibrations."""
    known = remembered_lake(ctx)
    return [] if known is None else _starting(known.calibrations(), incomplete)


# --- lakes, tables, questions ------------------------------------------------------------------------------------


def lake_name(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """The lakes of the configuration."""
    from sxeslake import settings  # noqa: PLC0415

    try:
        lakes = settings.named_lakes()
    except SxeslakeError:  # a configuration that cannot be read
        return []
    return [CompletionItem(name, help=lake.url) for name, lake in lakes.items() if name.startswith(incomplete)]


def lake(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """A lake by name, by the name of its group, or by folder."""
    from sxeslake import settings  # noqa: PLC0415

    try:
        groups = settings.groups()
    except SxeslakeError:  # as above
        groups = {}
    found = [CompletionItem(name, help=", ".join(of)) for name, of in groups.items() if name.startswith(incomplete)]
    return [*lake_name(ctx, param, incomplete), *found, CompletionItem(incomplete, type="dir")]


def lake_or_folder(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """A lake by name; behind one word also a folder."""
    names = lake_name(ctx, param, incomplete)
    words = ctx.params.get(param.name or "") or ()
    return [*names, CompletionItem(incomplete, type="dir")] if words or ctx.params.get("group") else names


def lake_or_file(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """A lake by name, or any file."""
    return [*lake_name(ctx, param, incomplete), CompletionItem(incomplete, type="file")]


def sample_or_file(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Samples, or any file."""
    return [*sample(ctx, param, incomplete), CompletionItem(incomplete, type="file")]


def folder(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """A folder, where a URL will do as well."""
    return [CompletionItem(incomplete, type="dir")]


def table(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """The tables of the catalogue."""
    from sxeslake.catalog.schema.tables import TABLES  # noqa: PLC0415

    return [CompletionItem(each.name, help=each.help) for each in TABLES if each.name.startswith(incomplete)]


def question(ctx: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """The questions of the library and of the folders that are named."""
    from sxeslake.catalog.query import library  # noqa: PLC0415

    folders = [Path(each) for each in ctx.params.get("folders") or ctx.params.get("part_queries") or ()]
    try:
        queries = list(library.load(folders))
    except SxeslakeError:  # a folder that is none, a question that cannot be read
        return []
    return [CompletionItem(each.name, help=each.title) for each in queries if each.name.startswith(incomplete)]


def columns(ctx: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Columns, behind commas too: those that a question shows first, then those of the catalogue."""
    from sxeslake.catalog.query import library  # noqa: PLC0415
    from sxeslake.catalog.schema.tables import BY_NAME, TABLES  # noqa: PLC0415

    name = {"find": "find-text", "conditions": "condition-values"}.get(ctx.command.name or "", ctx.params.get("name"))
    known = library.load().queries.get(str(name).replace("_", "-"))
    tables = [BY_NAME[known.over]] if known is not None and known.over else list(TABLES)
    names = [*(known.show if known is not None else ()), *(column.name for each in tables for column in each.columns)]
    return _listed(names, incomplete)


def _listed(names: Sequence[str], incomplete: str) -> Items:
    """The last of some words between commas; those before it stay."""
    before, comma, last = incomplete.rpartition(",")
    there = {name.strip() for name in before.split(",")}
    new = dict.fromkeys(name for name in names if name.startswith(last) and name not in there)
    return [CompletionItem(f"{before}{comma}{name}") for name in new]


# --- values ------------------------------------------------------------------------------------------------------

_FIXED = {
    "match": ("all", "any"),
    "since": ("today", "yesterday", "this week", "last week", "this month", "last month", "this year", "last year"),
}
_OF_THE_SAME = {"until": "since", "types": "type", "analyses": "analysis"}


def values(word: str) -> Suggest | None:
    """What completes a filter or a parameter by its name; None where there is nothing to choose from."""
    word = _OF_THE_SAME.get(word, word)
    if word in ("sample", "annotation"):
        return sample_name if word == "sample" else annotation
    if word in _FIXED:
        return lambda _, __, incomplete: _starting(_FIXED[word], incomplete)
    if word not in ("grating", "spectrometer", "instrument", "operator", "project", "kind", "type", "analysis"):
        return None
    return lambda ctx, _, incomplete: _in_use(ctx, word, incomplete)


def _in_use(ctx: click.Context, word: str, incomplete: str) -> Items:
    """The values that occur in the catalogue of this machine."""
    from sxeslake.catalog.store import inuse  # noqa: PLC0415

    known = remembered_lake(ctx)
    found = [] if known is None else list(inuse.values_in(known.folder).get(word, []))
    if word == "kind":
        from sxeslake.catalog.query.filter_spec import ANY, KINDS  # noqa: PLC0415

        found = [*KINDS, ANY]
    return _listed(found, incomplete) if word == "type" else _starting(found, incomplete)


def time_zone(ctx: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """INSTRUMENT=ZONE: instruments that occur, then zones."""
    instrument, equals, zone = incomplete.partition("=")
    if not equals:
        return [CompletionItem(f"{item.value}=", type=GOES_ON) for item in _in_use(ctx, "instrument", incomplete)]
    from zoneinfo import available_timezones  # noqa: PLC0415 - reads a folder

    return [CompletionItem(f"{instrument}={name}") for name in sorted(available_timezones()) if name.startswith(zone)]
