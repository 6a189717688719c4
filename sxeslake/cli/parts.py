"""The options of `pull` that take a part of an archive, or make one group of many; and what is printed about it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App
from sxeslake.cli.completion import suggest
from sxeslake.cli.destinations import STDOUT
from sxeslake.cli.documents import PART, document
from sxeslake.cli.filters import filter_options, filter_words
from sxeslake.cli.options import DRY_RUN
from sxeslake.cli.words import count, kept_of_output, shown, size
from sxeslake.disk.output import is_stdout

if TYPE_CHECKING:
    from sxeslake.cli.completion.suggest import Suggest
    from sxeslake.model import ContainerKind
    from sxeslake.pull.part.selection import SelectionReport
    from sxeslake.pull.whole import PullReport

_PREFIX = "part_"


def part_options() -> list[click.Parameter]:
    """Fresh copies of the options, the shared filters among them."""
    return [
        _several("--position", "positions", "UUID|N|A..B", "Only these positions; numbers count from 1."),
        _several(
            "--analysis", "analyses", "NAME|UUID", "Only positions of these analyses; a glob will do.",
            suggest.values("analyses"),
        ),
        _several("--types", "types", "TYPE,…", "Only these data: qlw,xes … and images. info and state always come.",
                 suggest.values("types")),
        _several("--member", "members", "GLOB", "Members by path, of any archive; FOLDER/ is all below it.",
                 suggest.member),
        _one("--where", "where", "CONDITION", "Positions by columns, 'stage_x_mm between 10 and 20'; see `schema`."),
        _one("--query", "query", "NAME", "Positions of a question's answer, in the versions named, else the newest.",
             suggest.question),
        _one("--sql", "sql", "SELECT", "As --query, of free SQL with the columns sample, version, position_uuid."),
        _several("--queries", "queries", "DIR", "A folder of your own queries for --query.", suggest.folder),
        click.Option(["--merge", f"{_PREFIX}merge"], is_flag=True, help="One group of whole archives."),
        click.Option([*DRY_RUN, f"{_PREFIX}dry_run"], is_flag=True, help="Show what would be written; change nothing."),
        click.Option(
            ["--max-positions", f"{_PREFIX}max_positions"], type=click.IntRange(min=1), metavar="N",
            help="Refuse more.  [default: 1,000,000]",
        ),
        _one("--max-bytes", "max_bytes", "SIZE", "Refuse more, such as 20GiB, unpacked.  [default: 256 GiB]"),
        *map(_never_blank, filter_options(without=["copies"])),
    ]  # fmt: skip


def _one(flag: str, name: str, metavar: str, text: str, complete: Suggest | None = None) -> click.Parameter:
    return _never_blank(click.Option([flag, _PREFIX + name], metavar=metavar, help=text, shell_complete=complete))


def _several(flag: str, name: str, metavar: str, text: str, complete: Suggest | None = None) -> click.Parameter:
    option = click.Option([flag, _PREFIX + name], metavar=metavar, multiple=True, help=text, shell_complete=complete)
    return _never_blank(option)


def _never_blank(option: click.Parameter) -> click.Parameter:
    """An option that refuses `--kv "$unset"`: nothing must not mean everything."""

    def check(ctx: click.Context, option: click.Parameter, value: Any) -> Any:
        if any(isinstance(word, str) and not word.strip() for word in (value if option.multiple else [value])):
            raise click.BadParameter("it is empty. Say what it means, or leave it out.", ctx, option)
        return value

    option.callback = check
    return option


@dataclass(frozen=True, slots=True)
class PartWords:
    """Options of a part: words of `Lake.pull_part`."""

    words: Mapping[str, Any]
    filters: Mapping[str, object]
    merge: bool
    dry_run: bool

    def __bool__(self) -> bool:
        return bool(self.words or self.filters or self.merge or self.dry_run)

    @property
    def chooses(self) -> bool:
        """Whether anything but a dry run was asked for."""
        return any(name not in _LIMITS for name in self.words) or bool(self.filters) or self.merge


_LIMITS = {"max_positions": "--max-positions", "max_bytes": "--max-bytes", "queries": "--queries"}


def part_words(values: Mapping[str, Any]) -> PartWords:
    """The words of a part out of all that `pull` was called with."""
    found = {name.removeprefix(_PREFIX): value for name, value in values.items() if name.startswith(_PREFIX)}
    merge, dry_run = bool(found.pop("merge", False)), bool(found.pop("dry_run", False))
    words = {name: list(value) if isinstance(value, tuple) else value for name, value in found.items() if value}
    if "max_bytes" in words:
        from sxeslake.settings import parse_size  # noqa: PLC0415  (start-up time of --help)

        words["max_bytes"] = parse_size(str(words["max_bytes"]), "--max-bytes")
    part = PartWords(words, filter_words(values), merge, dry_run)
    if words and not part.chooses:
        alone = " and ".join(_LIMITS[name] for name in words)
        raise click.UsageError(f"{alone}: only for a part or a merge.")
    return part


def pull_part(
    app: App, refs: Sequence[str], out: str | None, part: PartWords, *, container: ContainerKind | None,
    level: int | None, force: bool, jobs: int | None, password: str | None = None,
) -> None:  # fmt: skip
    """Pull a part or a merge; what will move is said before it moves."""
    words: dict[str, Any] = {**part.words, **part.filters}
    to_stdout = out == STDOUT and not part.dry_run
    app.kept = lambda: kept_of_output(to_stdout=to_stdout)
    if to_stdout:
        _check_stdout(app)
    with app.open_lake() as lake:
        report = lake.pull_part(
            refs, None if out == STDOUT else out, **words, merge=part.merge, container=container, level=level,
            force=force, jobs=jobs, password=password, dry_run=part.dry_run,
            stream=sys.stdout.buffer if to_stdout else None,
            planned=lambda plan: app.say(_plan_line(plan)), progress=app.progress(),
        )  # fmt: skip
    _tell(app, report)


def dry_run_whole(
    app: App, refs: Sequence[str], *, every: bool, out: str | None, container: ContainerKind | None, level: int | None,
    exact: bool | None, password: str | None = None,
) -> None:  # fmt: skip
    """Say what pulling whole archives would move, and whether they would be the original files."""
    documents = []
    with app.open_lake() as lake:
        many = every or len(refs) > 1 or lake.is_pattern(refs[0])
        for ref in lake.resolve(refs, everything=every):
            report = lake.pull_part(ref, members=["*"], container=container, dry_run=True)
            reason = lake.why_not_exact(
                ref, None if many else out, container=container, level=level, exact=exact, password=password
            )
            app.say(_plan_line(report))
            app.say(f"not exact  {shown(reason)}" if reason else "exact      the original file")
            documents.append(document(report, PART) | {"exact": reason is None, "exact_reason": reason})
    if app.as_json:
        app.emit(documents if many else documents[0])


def _check_stdout(app: App) -> None:
    if app.as_json:
        raise click.UsageError("stdout takes the archive, and cannot be combined with --json.")
    if sys.stdout.isatty():
        raise click.UsageError("an archive is binary; send it somewhere: > FILE")


def _tell(app: App, report: SelectionReport) -> None:
    for warning in report.warnings:
        app.complain(f"warning    {shown(warning)}")
    if report.path == STDOUT or (report.path is not None and is_stdout(report.path)):
        app.say(_line(report))
    elif app.as_json:
        app.emit(document(report, PART))
    elif not report.dry_run:
        app.print(_line(report))
    tell_of_annotations_and_names(app, report)


def tell_of_annotations_and_names(app: App, report: SelectionReport | PullReport) -> None:
    """Say where the annotations are, and which members have another name on this disk."""
    if report.annotations:
        app.say(f"annotated  {shown(report.annotations)} has the annotations")
    for before, after in report.renamed:
        app.say(f"renamed    {shown(before)} is {shown(after)} on disk")


def _plan_line(plan: SelectionReport) -> str:
    """`moves      10 positions of map@1: 54 entries, 2.1 MB raw; 700 kB to fetch in about 9 requests`."""
    of = plan.samples[0] if len(plan.samples) == 1 else count(len(plan.samples), "archive")
    extent = f"{count(plan.members, 'entry', 'entries')}, {size(plan.bytes_raw)} raw"
    what = (
        f"{count(plan.positions, 'position')} of {shown(of)}: {extent}" if plan.positions else f"{shown(of)}: {extent}"
    )
    return f"moves      {what}; {size(plan.bytes_fetch)} to fetch in about {count(plan.requests, 'request')}"


def _line(report: SelectionReport) -> str:
    of = report.samples[0] if len(report.samples) == 1 else count(len(report.samples), "archive")
    parts = [count(report.positions, "position")] if report.positions else []
    extent = ", ".join([*parts, count(report.members, "entry", "entries"), size(report.bytes_written or 0)])
    return f"pulled     {shown(of)} → {shown(report.path)}  {extent}"
