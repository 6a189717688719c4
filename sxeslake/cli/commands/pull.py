"""`pull`: archives out of the lake."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.destinations import STDOUT, PullTarget, below, is_folder
from sxeslake.cli.documents import PULL, document
from sxeslake.cli.options import OUT, PATH, LakeCommand, jobs_option, samples_argument
from sxeslake.cli.parts import dry_run_whole, part_options, part_words, pull_part, tell_of_annotations_and_names
from sxeslake.cli.passwords import password_file_option, read_passwords
from sxeslake.cli.words import count, kept_of_output, shown, size
from sxeslake.disk.output import is_stdout
from sxeslake.errors import NotFoundError, SxeslakeError
from sxeslake.machine.processes import keep_little
from sxeslake.model import ContainerKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from sxeslake.lake import Lake
    from sxeslake.model import Progress
    from sxeslake.pull.progress import RunProgress
    from sxeslake.pull.share import Restored
    from sxeslake.pull.whole import PullReport


DAMAGED = 5
"""The exit code of a pull that had to leave something out."""


@click.command(
    "pull",
    cls=LakeCommand,
    params=part_options(),
    example='sxeslake pull map@2 -o map.pl7z\nsxeslake pull map -o map/\nsxeslake pull "2018/*" -o out/\n'
    "sxeslake pull map --position 3..9 --types qlw -o part.pl7z\n"
    "sxeslake pull map -o map.7z --password-file customer.txt\n"
    "sxeslake pull --where 'stage_x_mm < 20' --text nitride -o nitrides.pl7z",
)
@samples_argument
@click.option(*OUT, metavar="OUT", type=PATH, help="A file (.pl7z .7z .plzip .zip), a folder (OUT/) or - for stdout.")
@click.option("--all", "every", is_flag=True, help="Every sample's newest version.")
@click.option(
    "--as-source",
    is_flag=True,
    help="Recreate folders, names and containers as they came, below OUT; with --all, every path that was ingested.",
)
@click.option("--all-versions", is_flag=True, help="With --all: every version, also what is not the newest.")
@click.option(
    "--container",
    type=click.Choice(["zip", "7z", "folder"]),
    help="Format, where the suffix does not tell.  [default: as it came]",
)
@click.option("--level", type=click.IntRange(0, 9), help="0 copies, 1 is fast, 9 is small.  [default: 1]")
@click.option(
    "--exact/--no-exact",
    default=None,
    help="Require, or forbid, a byte-identical result.  [default: where container and level allow]",
)
@click.option("--force", is_flag=True, help="Replace a file, or the folder of an earlier pull.")
@click.option(
    "--skip-damaged", is_flag=True, help="Leave out what the lake has lost, list it, and end with exit code 5."
)
@password_file_option("Encrypt the 7z (names too) or zip (not the names) with the first line of FILE.")
@jobs_option
@pass_app
def command(
    app: App,
    /,
    refs: tuple[str, ...],
    out: str | None,
    every: bool,
    as_source: bool,
    all_versions: bool,
    container: ContainerKind | None,
    level: int | None,
    exact: bool | None,
    force: bool,
    skip_damaged: bool,
    password_file: str | None,
    jobs: int | None,
    **values: Any,
) -> int:
    """Take archives out, every byte, time and name as it went in.

    One archive goes to its source's own name, to the file OUT, or unpacked into the folder OUT/. Several (names,
    globs such as "2018/*", --all) go into the folder OUT/, an archive file each. Nothing half-written is left, and
    nothing is replaced without --force.

    --all --as-source restores a share: the newest state of every path that was ingested, with its time, without the
    folders that all paths have in common. What is left out is listed.

    --password-file encrypts with AES-256, as 7-Zip opens it, for data that leaves the house: a 7z with the names in
    it; of a zip the contents only, its names stay readable. The annotations next to it (OUT.annotations.json) are not
    encrypted.

    A part (--position, --analysis, --types, --member, --where, --query, --sql or a filter) is an archive that is
    valid by itself; maps come with their analysis. Parts of several archives, or of all when none is named, make
    one group: equal measurements once, and where each came from in its metadata.
    """
    part = part_words(values)
    password = next(iter(read_passwords(app, password_file)), None)
    if part.chooses:
        _check_part(exact=bool(exact), whole_only=bool(as_source or skip_damaged or (every and refs)))
        pull_part(
            app, refs, out, part, container=container, level=level, force=force, jobs=jobs, password=password
        )  # fmt: skip
        return 0
    _check_named(refs, every=every, all_versions=all_versions)
    _check_encrypted(password, as_source=as_source)
    if part.dry_run:
        dry_run_whole(
            app, refs, every=every, out=out, container=container, level=level, exact=exact, password=password
        )  # fmt: skip
        return 0
    if out == STDOUT:
        _check_stdout(app, many=every or as_source or len(refs) > 1)
    keep_little()
    if every and as_source and container is None and not refs:
        words = {"level": level, "force": force, "skip_damaged": skip_damaged, "exact": exact, "jobs": jobs}
        return restore_share(app, Path(out or "."), all_versions=all_versions, **words)
    with app.open_lake() as lake:
        many = every or as_source or len(refs) > 1 or lake.is_pattern(refs[0])
        if out == STDOUT and many:
            _check_stdout(app, many=True)
        found = _found(lake, refs, every=every, all_versions=all_versions)
        app.kept = lambda: kept_of_output(to_stdout=out == STDOUT)
        if out == STDOUT:
            report = lake.pull_to(
                found[0],
                sys.stdout.buffer,
                container=container,
                level=level,
                skip_damaged=skip_damaged,
                exact=exact,
                jobs=jobs,
                password=password,
            )
            app.say(_line(report))
            return _say_damaged(app, report)

        def pull(ref: str, target: str | Path | None, progress: Progress | None) -> PullReport:
            return lake.pull(
                ref,
                target,
                container=container,
                level=level,
                force=force,
                skip_damaged=skip_damaged,
                exact=exact,
                jobs=jobs,
                password=password,
                progress=progress,
            )

        if many:
            wanted = [PullTarget(ref, lake.file_name(ref, container)) for ref in found]
            return _pull_each(app, pull, wanted, below(out, wanted, as_source=as_source), _run(app, lake, found))
        report = pull(found[0], _place(lake, found[0], out, container), app.progress())
    code = _tell(app, report)
    if app.as_json and not is_stdout(report.path):
        app.emit(document(report, PULL))
    return code


def _check_named(refs: tuple[str, ...], *, every: bool, all_versions: bool) -> None:
    if all_versions and not every:
        raise click.UsageError("--all-versions requires --all.")
    if not refs and not every:
        raise click.UsageError("name a sample, or give --all.")


def _check_encrypted(password: str | None, *, as_source: bool) -> None:
    if password is not None and as_source:
        raise click.UsageError("--as-source gives archives as they came; --password-file makes encrypted ones.")


def _found(lake: Lake, refs: tuple[str, ...], *, every: bool, all_versions: bool) -> list[str]:
    """The versions that are meant, `map@2`."""
    if all_versions:
        return [f"{row.sample}@{row.version}" for row in lake.ls(all_versions=True)]
    return lake.resolve(refs, everything=every)


def restore_share(app: App, out: Path, *, all_versions: bool, **how: Any) -> int:
    """Restore every path that was ingested; the exit code is that of the first that fails."""
    code, documents = 0, list[dict[str, Any]]()

    def told(item: Restored) -> None:
        nonlocal code
        original = item.original
        place = {"source_path": original.path, "source_host": original.host}
        if item.report is None:
            app.complain(f"failed     {shown(original.path)}: {shown(item.error)}")
            version = {"sample": original.version.sample, "version": original.version.version}
            documents.append({**version, "path": str(item.target), "error": str(item.error), **place})
            code = code or (1 if item.error is None else item.error.exit_code)
            return
        code = code or _tell(app, item.report)
        if not item.report.exact and item.report.container != "folder":
            app.say(f"not exact  {shown(item.report.path)}: {shown(item.report.exact_reason)}")
        documents.append({**document(item.report, PULL), **place})

    app.kept = lambda: "Files that were restored are whole and stay; run the same command again to continue."
    with app.open_lake() as lake:
        report = lake.pull_share(out, all_versions=all_versions, told=told, progress=app.progress(), **how)
    if app.as_json:
        app.emit(documents)
    exact = sum(item.report is not None and item.report.exact for item in report.restored)
    restored = count(len(report.restored) - len(report.failed), "path")
    app.say(f"{restored} restored, {exact} byte for byte; {len(report.failed)} failed.")
    if report.left_out:
        app.say(f"Left out, for a newer state of the same path is there: {shown(', '.join(report.left_out))}.")
        app.say("`--all-versions` restores these, too.")
    return code


def _check_part(*, exact: bool, whole_only: bool) -> None:
    if exact:
        raise NotFoundError(
            "the original file cannot be rebuilt: a part or a merge is another file.",
            hint="Without --exact, it is an archive of its own.",
        )
    if whole_only:
        raise click.UsageError("--as-source, --skip-damaged and --all with names pull whole archives, not parts.")


def _check_stdout(app: App, *, many: bool) -> None:
    if many or app.as_json:
        raise click.UsageError("stdout takes one archive, and cannot be combined with --json.")
    if sys.stdout.isatty():
        raise click.UsageError("an archive is binary; send it somewhere: > FILE")


def _place(lake: Lake, ref: str, out: str | None, container: ContainerKind | None) -> str | Path | None:
    """What `-o` means for one archive: only a zip or 7z asked for by --container goes below a folder."""
    if out is not None and container in ("zip", "7z") and is_folder(out):
        return Path(out) / lake.file_name(ref, container)
    return out


def _run(app: App, lake: Lake, refs: list[str]) -> RunProgress | None:
    """One progress over several archives."""
    from sxeslake.pull.progress import RunProgress  # noqa: PLC0415  (start-up time of --help)

    progress = app.progress()
    if progress is None:
        return None
    sizes = {f"{row.sample}@{row.version}": row.bytes_source for row in lake.ls(all_versions=True)}
    return RunProgress(progress, [sizes.get(ref, 0) for ref in refs])


def _pull_each(
    app: App, pull: Callable[[str, Path, Progress | None], PullReport], wanted: list[PullTarget], targets: list[Path],
    progress: RunProgress | None,
) -> int:  # fmt: skip
    """Pull several; one that fails does not stop the others, and the first one's exit code is the command's."""
    documents: list[dict[str, Any]] = []
    code = done = 0
    app.kept = lambda: (
        f"{done:,} of {count(len(wanted), 'archive')} complete; run the same command again: without --force it "
        "reports those as failed, because they exist, and pulls the others."
    )
    for item, target in zip(wanted, targets, strict=True):
        if progress is not None:
            progress.next()
        try:
            report = pull(item.ref, target, progress)
        except SxeslakeError as error:
            app.complain(f"failed     {shown(item.ref)}: {shown(error)}")
            documents.append(
                {"sample": item.sample, "version": int(item.version), "path": str(target), "error": str(error)}
            )
            code = code or error.exit_code
        else:
            done += 1
            code = code or _tell(app, report)
            documents.append(document(report, PULL))
    if app.as_json:
        app.emit(documents)
    return code


def _tell(app: App, report: PullReport) -> int:
    if is_stdout(report.path):
        app.say(_line(report))
    elif not app.as_json:
        app.print(_line(report))
    tell_of_annotations_and_names(app, report)
    for path in report.unlinked:
        app.say(f"unlinked   {shown(path)} is a link that could lead out of the folder; a file holds its target")
    return _say_damaged(app, report)


def _say_damaged(app: App, report: PullReport) -> int:
    """Name what is not in the archive; the exit code."""
    for path in report.damaged:
        app.complain(f"damaged    {shown(path)} is lost, and not in it")
    if report.damaged:
        app.complain(
            f"`sxeslake repair --from PATH` repairs {shown(report.sample)}, where its content is still to be had."
        )
    return DAMAGED if report.damaged else 0


def _line(report: PullReport) -> str:
    extent = f"{count(report.members, 'entry', 'entries')}, {size(report.bytes_written)}"
    return f"pulled     {shown(report.sample)}@{report.version} → {shown(report.path)}  {extent}"
