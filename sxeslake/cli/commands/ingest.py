"""`ingest`: archives into the lake."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

import click
from click.core import ParameterSource

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import GC, INGEST, INGESTED, document
from sxeslake.cli.options import DRY_RUN, PATH, form_option, jobs_option, links_option, preset_option, tree_option
from sxeslake.cli.passwords import password_file_option, read_passwords
from sxeslake.cli.recording import RecordedCommand, tell
from sxeslake.cli.words import count, duration, percent, shown, size
from sxeslake.errors import SxeslakeError
from sxeslake.ingest import sums
from sxeslake.machine.processes import keep_little
from sxeslake.model import Limits, Preset

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from sxeslake.ingest.report import ArchiveReport, Estimate, IngestReport
    from sxeslake.lake import Lake
    from sxeslake.maintenance.gc.run import GcReport

FAILED = 4
"""The exit code of a batch in which an archive was unacceptable."""

_LIMITS = Limits()
_REMEMBERED = 4
_REMEMBERED_MEMBERS = 5000
"""Archives of a run, and files of each, whose list is read again so that shells know it."""


@click.command(
    "ingest",
    cls=RecordedCommand,
    example='sxeslake ingest map.plzip 2018/ --message "beam time 7"\n'
    "sxeslake ingest customer.7z --password-file passwords.txt\n"
    "sxeslake ingest --plan plan.parquet --workers 8",
)
@click.argument("paths", nargs=-1, metavar="[PATH...]", type=PATH)
@click.option("--plan", metavar="FILE", type=PATH, help="Store the archives of a plan that `sxeslake plan` has made.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that ingest at the same time, each on a core of its own.  [default: one, on all cores]",
)
@click.option(
    "--dask", metavar="ADDRESS", help="Have the workers of a Dask cluster ingest; of its scheduler, tcp://HOST:8786."
)
@click.option("--gc", "collects", is_flag=True, help="Afterwards `sxeslake gc --compact`.")
@click.option(
    "--sample",
    metavar="NAME",
    shell_complete=suggest.sample_name,
    help="Store under this name, as a new version if there is one already.",
)
@tree_option
@form_option
@click.option(*DRY_RUN, is_flag=True, help="Read and encode everything, report what it would take, store nothing.")
@click.option("--quick", is_flag=True, help="With --dry-run: read a sample only, and estimate; says with what error.")
@preset_option
@click.option(
    "--exact",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Search for a recipe that rebuilds the original file: where that is quick, at any cost, or never.",
)
@links_option
@click.option(
    "--check-data", is_flag=True, help="Read and hash the packs that are built on; store again what is damaged there."
)
@click.option(
    "--opaque",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Keep files whole that cannot be taken apart (encrypted, unknown methods, unsafe names); always: also damaged "
    "ones and files that are not archives; never: refuse them.",
)
@password_file_option(
    "Passwords to try on encrypted 7z and zip archives, one a line. Their contents are then stored UNENCRYPTED."
)
@click.option("-m", "--message", metavar="TEXT", help="A word on this ingest, kept with every version.")
@jobs_option
@click.option(
    "--encoding",
    metavar="NAME",
    help="The encoding of names and JSON that are not UTF-8, such as cp932; bytes are kept.",
)
@click.option(
    "--max-members",
    type=click.IntRange(min=1),
    default=_LIMITS.members,
    show_default=True,
    help="Limit an archive's members.",
)
@click.option(
    "--max-bytes",
    type=click.IntRange(min=1),
    default=_LIMITS.raw_bytes,
    show_default=True,
    help="Limit its unpacked bytes.",
)
@click.option(
    "--max-ratio", type=click.IntRange(min=1), default=_LIMITS.ratio, show_default=True, help="Limit its expansion."
)
@click.option(
    "--document-limit",
    metavar="SIZE",
    help="Longest JSON that is read as metadata, such as 128MiB.  [default: $SXESLAKE_DOCUMENT_LIMIT, else 64 MiB]",
)
@pass_app
def command(
    app: App,
    paths: tuple[str, ...],
    plan: str | None,
    workers: int | None,
    dask: str | None,
    collects: bool,
    sample: str | None,
    tree: bool,
    as_: Literal["auto", "vendor", "tree"],
    dry_run: bool,
    quick: bool,
    preset: Preset,
    exact: Literal["auto", "always", "never"],
    opaque: Literal["auto", "always", "never"],
    check_data: bool,
    links: Literal["follow", "keep", "skip"],
    password_file: str | None,
    message: str | None,
    jobs: int | None,
    encoding: str | None,
    max_members: int,
    max_bytes: int,
    max_ratio: int,
    document_limit: str | None,
) -> int:
    """Store archives: files, folders that are searched for them, unpacked group folders; files of instruments.

    Content that the lake has already is not stored again. A sample's name is the file's name without suffix, below
    a searched folder its relative path. One archive that cannot be stored does not stop the others, nor does a
    folder, file or link that cannot be read; each is reported, and the exit code is then 4.

    A folder without archives that an instrument wrote is converted as it comes in, as `sxeslake convert` does: a
    sample of the folder's name, of which `sxeslake originals` gives every file back. Run again when the folder has
    grown, only what is new is stored.

    With --password-file, encrypted archives are taken apart: every reader of the lake can read their contents, and a
    pull gives every member in a new container, not the encrypted file. Without it they are kept whole, encrypted.

    With --workers or --dask several workers open the lake, and each commits for itself. Archives that are likely to
    share content go to one worker; what a lost worker had not finished goes to another, at most three times. Workers
    find credentials in their own environment, not in --storage-option.

    Finished archives are committed while it runs, at least every half minute. Ctrl-C commits what is finished where
    that is quick, says what is kept, and ends within a second; the same command goes on from there.
    """
    if quick and not dry_run:
        raise click.UsageError("--quick estimates what an ingest would take; use it with --dry-run.")
    _check_words(paths, plan, workers, dask, dry_run=dry_run, collects=collects)
    if workers is None and dask is None:  # other processes hash for themselves
        sums.begin(paths)
    from sxeslake.settings import document_bytes  # noqa: PLC0415  (start-up time of --help)

    limits = Limits(
        members=max_members,
        raw_bytes=max_bytes,
        ratio=max_ratio,
        ratio_floor_bytes=_LIMITS.ratio_floor_bytes,
        document_bytes=document_bytes(document_limit, "--document-limit"),
    )
    passwords = read_passwords(app, password_file)
    keep_little()
    with (
        _cluster(dask) as executor,
        app.open_lake(create_default=True) as lake,
        watching(app, dry_run=dry_run) as watcher,
    ):
        report = lake.ingest(
            paths,
            plan=plan,
            workers=workers,
            executor=executor,
            sample=sample,
            jobs=jobs,
            tree=tree,
            dry_run=dry_run,
            encoding=encoding,
            limits=limits,
            message=message,
            exact=exact,
            opaque=opaque,
            check_data=check_data,
            links=links,
            passwords=passwords,
            quick=quick,
            as_=as_,
            preset=preset,
            progress=watcher.bar,
            watcher=watcher,
        )
        tell(app, report)
        _remember(lake, report)
        freed = (
            lake.gc(compact=True, message=message, progress=watcher.bar)
            if collects and report.commit is not None
            else None
        )
    if app.as_json:
        archives = [document(archive, INGESTED) for archive in report.archives]
        gc = None if freed is None else document(freed, GC)
        app.emit(document(report, INGEST) | {"archives": archives, "gc": gc})
    else:
        _render(app, report, dry_run)
        _say_waste(app, report, freed)
    return FAILED if report.failed else 0


def _check_words(
    paths: tuple[str, ...], plan: str | None, workers: int | None, dask: str | None, *, dry_run: bool, collects: bool
) -> None:
    """Refuse options that contradict one another."""
    if plan is None and not paths:
        raise click.UsageError("Missing argument 'PATH...'.")
    if plan is not None and paths:
        raise click.UsageError("Give PATHs or --plan FILE, not both.")
    if workers is not None and dask is not None:
        raise click.UsageError("--workers is for this machine, --dask for a cluster; give one of them.")
    if collects and dry_run:
        raise click.UsageError("A dry run stores nothing that --gc could free.")
    planned = [
        words for name, words in (("tree", "--tree"), ("as_", "--as"), ("links", "--links"))
        if click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]  # fmt: skip
    if plan is not None and planned:
        raise click.UsageError(f"{planned[0]} is decided where the plan is made: `sxeslake plan {planned[0]} ...`.")


@contextmanager
def _cluster(address: str | None) -> Iterator[Executor | None]:
    """The executor of a cluster, where one is named."""
    if address is None:
        yield None
        return
    from sxeslake.clusters.cluster import connected  # noqa: PLC0415  (start-up time of --help)

    with connected(address) as executor:
        yield executor


def _say_waste(app: App, report: IngestReport, freed: GcReport | None) -> None:
    """After several workers: what a collection frees, or has freed."""
    for path in report.changed:
        app.say(f"changed    {shown(path)}: not as planned; it was taken as it is now")
    if report.lost_workers:
        app.say(f"{count(report.lost_workers, 'worker')} ended unexpectedly; others took over.")
    if freed is not None:
        rewritten = f", {count(freed.packs_rewritten, 'pack')} joined" if freed.packs_rewritten else ""
        app.print(f"{size(max(0, freed.bytes_freed - freed.bytes_written))} freed by gc{rewritten}")
        for line in freed.damaged:
            app.complain(f"damaged    {line}")
    elif report.workers > 1 and report.commit is not None:
        app.say(
            "Workers leave small packs, and store twice what two meet at once; `sxeslake gc --compact` joins and frees."
        )


def _remember(lake: Lake, report: IngestReport) -> None:
    """Have shells complete the files of what came in, where that is little; `members` does it for the rest."""
    added = [archive for archive in report.archives if archive.status == "added"]
    if report.commit is not None and len(added) <= _REMEMBERED:
        for archive in added:
            if archive.members <= _REMEMBERED_MEMBERS:
                with suppress(SxeslakeError):  # all is stored; what is not remembered is not completed
                    deque(lake.members(f"{archive.sample}@{archive.version}"), maxlen=0)


class IngestWatcher:
    """Says what happens while archives come in: each as it is read, and what became of it once that is final."""

    def __init__(self, app: App, asked_to_end: Callable[[], bool], *, dry_run: bool, results: bool) -> None:
        self._app, self._asked_to_end, self._dry_run, self._results = app, asked_to_end, dry_run, results
        self.bar = app.progress()
        self._total = self._stored = self._commits = 0

    def done(self, archive: ArchiveReport, number: int, total: int, left_s: float | None) -> None:
        """`3 of 412  read 2019/map3.plzip  24.6 MB; 1 h 12 min left`."""
        self._total = total
        if total == 1:
            return
        if self.bar is not None:
            self.bar.describe(f"ingest, {number:,} of {total:,}")
        left = "" if left_s is None or number == total else f"; {duration(left_s)} left"
        word = "read" if archive.error is None else "failed"
        self._app.say(
            f"{number:,} of {total:,}".ljust(10) + f" {word} {shown(archive.path)}  {size(archive.bytes_source)}{left}"
        )

    def kept(self, archives: Sequence[ArchiveReport], commit: int | None) -> None:
        """The lines of the result."""
        self._commits += commit is not None
        self._stored += sum(archive.status == "added" for archive in archives if commit is not None)
        self.record(archives)
        if self._results:
            for archive in archives:
                _tell(self._app, archive, self._dry_run)
            sys.stdout.flush()

    def record(self, archives: Sequence[ArchiveReport]) -> None:
        """Have the record of this run count them."""
        tell(self._app, archives)

    def asked_to_end(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._asked_to_end()

    def in_words(self) -> str:
        """`412 archives: 37 stored and kept in 2 commits; run the same command again to continue.`"""
        if self._dry_run:
            return "A dry run keeps nothing."
        total = f"{count(self._total, 'archive')}: " if self._total else "So far: "
        kept = (
            f"{self._stored:,} stored and kept in {count(self._commits, 'commit')}"
            if self._stored
            else "nothing stored"
        )
        return f"{total}{kept}; run the same command again to continue."


@contextmanager
def watching(app: App, *, dry_run: bool, results: bool = True) -> Iterator[IngestWatcher]:
    """Watches an ingest, and ends it in good order when that is asked for."""
    from sxeslake.cli.ending import ending  # noqa: PLC0415  (start-up time of --help)
    from sxeslake.cli.run import leave_interrupted  # noqa: PLC0415  (it imports all commands' root)

    with ending(lambda: leave_interrupted(app)) as asked_to_end:
        watcher = IngestWatcher(app, asked_to_end, dry_run=dry_run, results=results and not app.as_json)
        app.kept = watcher.in_words
        yield watcher


def _tell(app: App, archive: ArchiveReport, dry_run: bool) -> None:
    if archive.status == "failed":
        app.complain(f"failed     {shown(archive.error)}")
    elif archive.status in ("unreadable", "skipped"):
        app.complain(f"{archive.status:10} {shown(archive.path)}: {shown(archive.error)}")
    else:
        app.print(_line(app, archive, dry_run))
    for warning in archive.warnings:
        app.complain(f"warning    {shown(archive.path)}: {shown(warning)}")


def _render(app: App, report: IngestReport, dry_run: bool) -> None:
    """What is to be said when the run is over."""
    for fault in report.damaged:
        app.complain(f"damaged    {shown(fault)}; nothing new is built on it")
    if report.damaged:
        app.complain("What came by of it is stored again where no copy is whole; run `sxeslake repair` for the rest.")
    for path in report.unrecognised:
        app.say(f"skipped    {shown(path)}: not an archive")
    for link in report.links:
        app.say(f"skipped    {shown(link)}")
    if report.estimate is not None:
        app.print(_estimated(report.estimate))
    elif len(report.archives) != 1:
        app.print(_summary(report, dry_run))


def _line(app: App, archive: ArchiveReport, dry_run: bool) -> str:
    """`stored     map@2   205 MB, 128 MB of it new (62 %)`."""
    ref = f"{shown(archive.sample)}@{archive.version}"
    if archive.healed:
        return (
            f"restored   {ref}  {count(archive.healed, 'blob')} of missing or damaged packs, from {shown(archive.path)}"
        )
    if archive.status == "unchanged":
        if archive.path_added:
            return f"unchanged  {ref}  {shown(archive.path)} is a copy of this version"
        return f"unchanged  {ref}  {shown(archive.path)} is this version already"
    verb = "would store" if dry_run else "stored    "
    new = (
        "nothing new"
        if not archive.bytes_stored
        else f"{size(archive.bytes_stored)} stored ({percent(archive.bytes_stored, archive.bytes_source)})"
    )
    notes = "" if archive.converted is None else f"; converted: {archive.converted}"
    if archive.renamed_from:
        notes += f"; {shown(archive.renamed_from)} is another archive's name"
    if archive.duplicate_of:
        notes += f"; same content as {shown(archive.duplicate_of)}"
    if app.verbose:
        notes += "; exact" if archive.exact else f"; not exact: {shown(archive.exact_reason)}"
        notes += f"; {count(archive.members, 'member')}, {archive.blobs_new:,} of {count(archive.blobs, 'blob')} new"
    return f"{verb} {ref}  {size(archive.bytes_source)}, {new}{notes}"


def _estimated(found: Estimate) -> str:
    """`412 archives, 24 of them read: 72.2 MB would take about 35.7 MB ± 2.1 MB (49 %)`."""
    copies = f", {found.copies:,} of them copies" if found.copies else ""
    return (
        f"{count(found.archives, 'archive')}{copies}, {found.archives_read:,} read: {size(found.bytes_source)} would "
        f"take about {size(found.bytes_stored)} ± {size(found.error_bytes)} "
        f"({percent(found.bytes_stored, found.bytes_source)}); less where files share content in part"
    )


def _summary(report: IngestReport, dry_run: bool) -> str:
    tally = Counter(archive.status for archive in report.archives)
    archives = tally["added"] + tally["unchanged"] + tally["failed"]
    before = sum(archive.bytes_source for archive in report.archives if archive.status != "failed")
    after = sum(archive.bytes_stored for archive in report.archives if archive.status != "failed")
    verb, took = ("would be stored", "would take") if dry_run else ("stored", "took")
    missed = "".join(f", {tally[word]} {word}" for word in ("unreadable", "skipped") if tally[word])
    return (
        f"{count(archives, 'archive')}: {tally['added']} {verb}, {tally['unchanged']} unchanged, "
        f"{tally['failed']} failed{missed}; {size(before)} of archives {took} {size(after)} ({percent(after, before)})"
    )
