"""`use`: lakes by name."""

from __future__ import annotations

from pathlib import Path

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import table
from sxeslake.errors import SxeslakeError

_LOOK_S = 3.0
"""How long a store that does not answer is tried when it gets a name."""


@click.command(
    "use",
    cls=LakeCommand,
    example="sxeslake use facility s3://epma-archive/lake --storage-option profile=epma\nsxeslake ls --lake facility\n"
    "sxeslake use --group sites facility s3://other-site/lake\nsxeslake find CuFeS2 --lake sites\n"
    "sxeslake use --time-zone JXA-8530F=Asia/Tokyo",
)
@click.argument("words", nargs=-1, metavar="[NAME] [URL]", shell_complete=suggest.lake_or_folder)
@click.option(
    "--group",
    metavar="NAME",
    help="Keep the lakes that follow, names or URLs, as one group for reading; with --forget drop the group.",
)
@click.option("--embedded", is_flag=True, help="Go back to the embedded lake.")
@click.option("--forget", is_flag=True, help="Drop the name; the lake itself is not touched.")
@click.option(
    "--time-zone",
    "zones",
    metavar="INSTRUMENT=ZONE",
    multiple=True,
    shell_complete=suggest.time_zone,
    help="The time zone that an instrument's clock keeps, such as JXA-8530F=Asia/Tokyo; INSTRUMENT= forgets it.",
)
@click.option(
    "--notify",
    metavar="URL|COMMAND",
    help="Where unattended commands report a failure, unless their own --notify says otherwise; '' nowhere.",
)
@pass_app
def command(
    app: App,
    words: tuple[str, ...],
    group: str | None,
    embedded: bool,
    forget: bool,
    zones: tuple[str, ...],
    notify: str | None,
) -> None:
    """Give a lake a name and use it from now on.

    NAME URL keeps the lake under a name in your configuration, with storage options but without secrets; NAME
    alone goes over to a lake that has one; nothing lists them. Where there is no lake at URL yet, a warning
    says so. ls, find, query and serve read the lakes of a group as one: --lake GROUP.
    Archives state times without a time zone: queries give
    UTC, `acquired_at`, for instruments whose time zone is set here.
    """
    if group is not None:
        _keep_group(app, group, words, embedded=embedded, forget=forget)
        _finish(app, zones, notify, is_list=False)
        return
    if len(words) > 2:
        raise click.UsageError("NAME and URL are two words; --group NAME takes several lakes.")
    name, url = (*words, None, None)[:2]
    if embedded and (name or forget):
        raise click.UsageError("--embedded cannot be combined with other arguments.")
    if forget and (name is None or url is not None):
        raise click.UsageError("--forget needs a NAME and nothing else.")
    _change(app, name, url, embedded=embedded, forget=forget)
    _finish(app, zones, notify, is_list=not name and not embedded and notify is None)


def _finish(app: App, zones: tuple[str, ...], notify: str | None, *, is_list: bool) -> None:
    """Time zones, then the settings as they are now."""
    _set_zones(zones)
    _set_notify(app, notify)
    if app.as_json:
        _emit(app)
    elif is_list:
        _list(app)


def _keep_group(app: App, group: str, words: tuple[str, ...], *, embedded: bool, forget: bool) -> None:
    from sxeslake import settings  # noqa: PLC0415  (start-up time of --help, here and below)

    if embedded or (forget and words):
        raise click.UsageError("--group NAME requires lakes, or --forget alone.")
    if forget:
        settings.forget_group(group)
        app.say(f"Forgot the group {group}; its lakes and their names are as they were.")
        return
    if not words:
        raise click.UsageError("--group NAME needs the lakes: sxeslake use --group NAME LAKE...")
    lakes = settings.set_group(group, words)
    app.say(f"Group {group}: {', '.join(lakes)}. `sxeslake ls --lake {group}` lists them as one.")


def _change(app: App, name: str | None, url: str | None, *, embedded: bool, forget: bool) -> None:
    from sxeslake import settings  # noqa: PLC0415  (start-up time of --help, here and below)

    if embedded:
        settings.set_default(None)
        app.say(f"From now on: the embedded lake, {settings.default_lake_url()}.")
    elif name and forget:
        settings.forget_named_lake(name)
        app.say(f"Forgot the name {name}; the lake is as it was.")
    elif name:
        if url:
            settings.add_named_lake(name, url, app.storage_options)
        settings.set_default(name)
        known = settings.named_lakes()[name].url
        if url:
            _look(app, known)
        app.say(f"From now on: {name}, {known}, unless --lake or {settings.LAKE_VARIABLE} says otherwise.")


def _look(app: App, url: str) -> None:
    """Warn where there is no lake to be opened: it may be meant for `init`, or be a slip."""
    from sxeslake import settings  # noqa: PLC0415
    from sxeslake.format import keys  # noqa: PLC0415
    from sxeslake.storage.address import is_remote, parse  # noqa: PLC0415

    wait_s = _LOOK_S if app.retry_for_s is None else app.retry_for_s
    try:
        _, store = settings.open_storage(url, app.storage_options, retry_for_s=wait_s)
        try:
            is_there = store.size(keys.LAKE) is not None
        finally:
            store.close()
    except SxeslakeError as error:
        app.complain(f"warning: the lake cannot be opened now: {error}")
        return
    if not is_there:
        folder = "" if is_remote(url) or Path(parse(url).path).is_dir() else ", nor a folder"
        app.complain(f"warning: there is no lake at {url} yet{folder}. `sxeslake init {url}` creates one.")


def _set_zones(zones: tuple[str, ...]) -> None:
    from sxeslake import settings  # noqa: PLC0415

    for word in zones:
        instrument, equals, zone = word.partition("=")
        if not equals or not instrument.strip():
            raise click.UsageError("write INSTRUMENT=ZONE, such as JXA-8530F=Asia/Tokyo.")
        settings.set_time_zone(instrument.strip(), zone.strip() or None)


def _set_notify(app: App, where: str | None) -> None:
    from sxeslake import settings  # noqa: PLC0415
    from sxeslake.runs.notify import check, shown_place  # noqa: PLC0415

    if where is not None:
        settings.set_notify(check(where) if where.strip() else None)
        told = f"Failed runs are reported to {shown_place(where)}" if where.strip() else "Failed runs are not reported"
        app.say(f"{told}, unless --notify or {settings.NOTIFY_VARIABLE} says otherwise.")


def _emit(app: App) -> None:
    from sxeslake import settings  # noqa: PLC0415
    from sxeslake.runs.notify import shown_place  # noqa: PLC0415

    lakes = [
        {"name": name, "url": lake.url, "storage_options": dict(lake.storage_options)}
        for name, lake in settings.named_lakes().items()
    ]
    app.emit({
        "default": settings.default_name(),
        "embedded": settings.default_lake_url(),
        "lakes": lakes,
        "groups": settings.groups(),
        "time_zones": settings.time_zones(),
        "notify": None if (place := settings.notify_to()) is None else shown_place(place),
    })  # fmt: skip


def _list(app: App) -> None:
    from sxeslake import settings  # noqa: PLC0415

    default = settings.default_name()
    rows = [("*" if default == name else "", name, lake.url) for name, lake in settings.named_lakes().items()]
    rows.append(("*" if default is None else "", "(embedded)", settings.default_lake_url()))
    for line in table(("", "name", "lake"), rows):
        app.print(line)
    if groups := settings.groups():
        app.print()
        for line in table(("group", "lakes"), [(name, ", ".join(lakes)) for name, lakes in groups.items()]):
            app.print(line)
    if zones := settings.time_zones():
        app.print()
        for line in table(("instrument", "time zone"), list(zones.items())):
            app.print(line)
