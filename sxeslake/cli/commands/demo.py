"""`demo`: a facility in a minute: archives that overlap, stored, one taken out again, and a question to all of them."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import INGESTED, PULL, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import count, percent, shown, size
from sxeslake.errors import AlreadyExistsError, DamagedLakeError, InputError, NotAnArchiveError
from sxeslake.text.table import table, window

if TYPE_CHECKING:
    from sxeslake.archive.base import Container
    from sxeslake.ingest.report import ArchiveReport, IngestReport
    from sxeslake.lake import Lake
    from sxeslake.pull.whole import PullReport

SEED = 1
_INDENT = 3

_NEXT = """Try next:
  sxeslake ingest PATH              # your own archives, into the embedded lake
  sxeslake ls                       # what is in it
  sxeslake query                    # tables of all of it
  sxeslake pull NAME -o out.pl7z    # one back, as 7z or zip
  sxeslake demo --archive PATH      # this, with an archive of yours
  sxeslake demo --keep DIR          # this, and keep what it makes"""


@click.command(
    "demo", cls=LakeCommand, example="sxeslake demo\nsxeslake demo --archive map.plzip\nsxeslake demo --serve"
)
@click.option("--archive", type=click.Path(path_type=Path), metavar="PATH", help="Take this archive; it is only read.")
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR", help="Keep archives and lake in a new folder.")
@click.option("--serve", "serves", is_flag=True, help="Then show the lake in a browser, until Ctrl-C.")
@pass_app
def command(app: App, archive: Path | None, keep: Path | None, serves: bool) -> None:
    """Show in a minute what a lake does.

    Makes a small synthetic facility (a map, the same map saved again under another name and in the other container,
    a subset, a session with a new comment), stores it, shows what deduplication saved, takes one archive out,
    compares every file, and asks which maps were taken at 5 kV. Works in a lake of its own; yours is not touched.
    """
    started = time.monotonic()
    with _workshop(keep) as folder:
        from sxeslake.lake import init  # noqa: PLC0415  (start-up time of --help, here and below)

        with init(str(folder / "lake")) as lake:
            taken = _own(app, lake, archive, folder) if archive else _facility(app, lake, folder)
            compared = _take_out(app, lake, taken[0], folder)
            maps = _ask(app, lake)
            told: dict[str, Any] = {
                "archives": [document(item, INGESTED) for item in taken],
                "bytes_source": sum(item.bytes_source for item in taken),
                "bytes_stored": lake.stats().bytes_stored,
                "pulled": document(compared.pulled, PULL),
                "compared": compared.members,
                "equal": True,
                "maps_at_5_kv": maps,
                "kept": str(keep) if keep else None,
                "seconds": round(time.monotonic() - started, 1),
            }
            if serves:
                _serve(app, lake, taken[0], told)
    if app.as_json:
        if not serves:  # else it was told when the page was there
            app.emit(told)
        return
    app.print()
    app.print(f"That took {time.monotonic() - started:.1f} s. " + _what_is_left(keep))
    app.print(_NEXT)


def _serve(app: App, lake: Lake, first: ArchiveReport, told: dict[str, Any]) -> None:
    """Show the lake in a browser; one of its positions is called a standard, so that spectra can be laid beside it."""
    from sxeslake.cli.commands.serve import serve_lakes  # noqa: PLC0415
    from sxeslake.web.options import ServeOptions  # noqa: PLC0415

    ref = f"{first.sample}@{first.version}"
    for row in lake.measured(ref, positions="1"):
        lake.annotate(ref, {"role": "standard", "material": "CuFeS2"}, position=row.position_uuid)

    def ready(address: str) -> None:
        if app.as_json:
            app.emit(told | {"url": address})
        else:
            app.print(f"\n5. Open {address} in a browser. Ctrl-C ends.")

    serve_lakes(app, {"demo": lake}, ServeOptions(), "127.0.0.1", 0, open_browser=False, ready=ready)


def _facility(app: App, lake: Lake, folder: Path) -> list[ArchiveReport]:
    """Make the synthetic archives and store them."""
    from sxeslake.archive.synthetic import synthetic_facility  # noqa: PLC0415

    _tell(app, "1. A small facility: archives as they pile up over the years.")
    made = synthetic_facility(folder / "archives", SEED)
    taken = lake.ingest([folder / "archives"], progress=app.progress()).archives
    _tell(
        app, f"   {count(len(made), 'archive')}, {size(sum(path.stat().st_size for path in made))}, made from a seed."
    )
    _show_savings(app, lake, taken, folder / "archives")
    return taken


def _own(app: App, lake: Lake, archive: Path, folder: Path) -> list[ArchiveReport]:
    """Store the user's archive, then the same again in the other container."""
    from sxeslake.archive.container import sniff  # noqa: PLC0415

    _tell(app, f"1. Your archive, {shown(archive)}, and the same once more in another container.")
    first = _stored(lake.ingest([archive], progress=app.progress()))
    assert first.sample is not None
    other = "zip" if sniff(archive) == "7z" else "7z"
    again = folder / "archives" / f"{Path(first.sample).name} again.{other}"
    lake.pull(first.sample, again, progress=app.progress())
    taken = [first, _stored(lake.ingest([again], progress=app.progress()))]
    _show_savings(app, lake, taken, folder / "archives")
    return taken


def _stored(report: IngestReport) -> ArchiveReport:
    """The first archive of a batch, where there is one to go on with."""
    if not report.archives:
        raise NotAnArchiveError("no archive was found there.")
    first = report.archives[0]
    if first.status not in ("added", "unchanged"):
        raise InputError(str(first.error))
    return first


def _note(item: ArchiveReport) -> str:
    if item.path_added:
        return ", a copy"
    return f", same as {item.duplicate_of}" if item.duplicate_of else ""


def _show_savings(app: App, lake: Lake, taken: list[ArchiveReport], folder: Path) -> None:
    """The table of what each archive was and what it took."""
    rows = [
        (
            _relative(item.path, folder),
            size(item.bytes_source),
            size(item.bytes_stored),
            percent(item.bytes_stored, item.bytes_source),
            f"{item.sample}@{item.version}" + _note(item),
        )
        for item in taken
    ]
    before, after = sum(item.bytes_source for item in taken), lake.stats().bytes_stored
    _tell(app, "\n2. Stored, with equal content once:\n")
    for line in table(("archive", "size", "took", "", "stored as"), rows, _window() - _INDENT):
        _tell(app, f"{' ' * _INDENT}{line}")
    _tell(app, f"\n   {size(before)} of archives are {size(after)} in the lake: {percent(after, before)}.")


@dataclass(frozen=True, slots=True)
class _Compared:
    """An archive that came back, and how many of its members were held against the original."""

    pulled: PullReport
    members: int


def _take_out(app: App, lake: Lake, original: ArchiveReport, folder: Path) -> _Compared:
    """Pull an archive and hold every member against the original: bytes, name, time, order."""
    from sxeslake.archive.container import open_container, sniff  # noqa: PLC0415

    source = Path(original.path)
    target = folder / "pulled" / source.name
    pulled = lake.pull(
        f"{original.sample}@{original.version}", target, container=sniff(source), progress=app.progress()
    )
    with open_container(source) as before, open_container(target) as after:
        members = _compare(before, after)
    extent = f"{count(members, 'file and folder', 'files and folders')} compared"
    _tell(app, f"\n3. Taken out again: {shown(source.name)}, {extent}: every byte, name and time is equal.")
    return _Compared(pulled, members)


def _compare(before: Container, after: Container) -> int:
    """How many members are equal; DamagedLakeError names the first that is not."""
    expected, found = _fingerprints(before), _fingerprints(after)
    for name, print_ in expected.items():
        if found.get(name) != print_:
            raise DamagedLakeError("came back other than it went in.", where=name)
    if extra := found.keys() - expected.keys():
        raise DamagedLakeError("came back, and never went in.", where=min(extra))
    return len(expected)


def _fingerprints(container: Container) -> dict[str, tuple[object, ...]]:
    """Kind, size, times and the hash of the content, by path."""
    from blake3 import blake3  # noqa: PLC0415

    hashes = [blake3() for _ in container.members]
    for job in container.jobs():
        for piece in job():
            hashes[piece.member].update(piece.data)
    return {
        member.path: (member.kind, member.size, member.modified_ns, member.dos_time, digest.digest())
        for member, digest in zip(container.members, hashes, strict=True)
    }


def _ask(app: App, lake: Lake) -> list[dict[str, Any]]:
    """The question that the catalogue is for, answered as the command answers it."""
    from sxeslake.catalog.query.readable import Look, readable_lines  # noqa: PLC0415

    found = lake.maps(kv=5)
    columns = ("sample", "version", "positions", "accelerating_voltage_kv", "probe_current_na", "grating", "instrument")
    _tell(app, "\n4. Which maps were taken at 5 kV?  sxeslake query maps-by-beam-condition --kv 5\n")
    for line in readable_lines(found, Look(_window())):
        _tell(app, line)
    return [{name: row[name] for name in columns} for row in found.rows()]


def _window() -> int:
    """Columns of the window; where there is none, so many that the story can be shown anywhere."""
    return window(sys.stdout) or 80


@contextmanager
def _workshop(keep: Path | None) -> Iterator[Path]:
    """The folder to work in: the one to keep, or one that is gone afterwards with all that was cached of it."""
    if keep is not None:
        if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
            raise AlreadyExistsError("this is there already, and not empty.", where=keep, hint="Name a new folder.")
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    from sxeslake.settings import CACHE_VARIABLE  # noqa: PLC0415

    before = os.environ.get(CACHE_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="sxeslake-demo-") as name:
        os.environ[CACHE_VARIABLE] = str(Path(name) / "cache")
        try:
            yield Path(name)
        finally:
            if before is None:
                del os.environ[CACHE_VARIABLE]
            else:
                os.environ[CACHE_VARIABLE] = before


def _what_is_left(keep: Path | None) -> str:
    if keep is None:
        return "All of it is removed again.\n"
    return f"Archives and lake are in {shown(keep)}: sxeslake ls --lake {shown(keep / 'lake')}\n"


def _relative(path: str, folder: Path) -> str:
    inside = Path(path)
    return str(inside.relative_to(folder)) if inside.is_relative_to(folder) else path


def _tell(app: App, text: str) -> None:
    """The story: the command's result for people, words beside it under --json."""
    if app.as_json:
        app.say(text)
    else:
        app.print(text)
