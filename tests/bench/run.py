"""The benchmark: a table of what sxeslake costs, beside restic, borg, 7-Zip and DVC measured in the same run.

    python tests/bench/run.py                                     a map of 2,500 positions, without peers
    python tests/bench/run.py --peers --repeat 5 --results        with restic and borg, as `make bench` does
    python tests/bench/run.py --peers restic,dvc,7zz              with others, which take minutes
    python tests/bench/run.py --only small-s3,latency,one-position,catalogue,flat    what the default leaves out
    python tests/bench/run.py --positions 100000 --only ingest,again,pull    17 GB raw; 30 GB of disk, with peers 60
    python tests/bench/run.py --positions 100000 --only one-position    the same members with tiny arrays: 1 GB of disk

Times are medians of rounds in which all take turns; a machine that does other work changes times, ratios hardly.
Requests and bytes are counted by a proxy before the S3 server, for every client alike.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import bucket_lines, growth_lines, local_lines, peers, small_lines, table
from bench.document import filled
from bench.measure import run, sxeslake, usable_cores
from bench.setting import FULL_SIZE, Setting
from bench.table import OURS, Row, at_most

Line = Callable[[Setting], Iterator[Row]]

BY_DEFAULT: dict[str, Line] = {
    "ingest": local_lines.ingest,
    "fast": local_lines.fast,
    "again": local_lines.again,
    "pull": local_lines.pull,
    "verify": local_lines.verify,
    "small": small_lines.small_archives,
    "unchanged": small_lines.unchanged,
    "workers": small_lines.workers,
    "resave": local_lines.resave,
    "start": local_lines.start,
    "first-sync": growth_lines.first_sync,
    "jobs": local_lines.jobs,
    "real": local_lines.real,
}
LINES: dict[str, Line] = {
    **BY_DEFAULT,
    "small-s3": bucket_lines.small_archives,
    "one-position": bucket_lines.one_position,
    "latency": bucket_lines.latency,
    "catalogue": growth_lines.catalogue,
    "flat": growth_lines.flat,
}
_SMALL = 250
_MOST_MB = 330
_MOVING = ("ingest", "pull", "verify")
RESULTS = Path(__file__).with_name("RESULTS.md")
ALL, QUICK = ",".join(peers.NAMES), ",".join(peers.QUICK)


def measure(setting: Setting, names: Sequence[str]) -> Iterator[Row]:
    """The rows of some lines; a line that fails says so and leaves the others alone."""
    for name in names:
        try:
            yield from LINES[name](setting)
        except RuntimeError as error:
            print(f"{name}: {error}", file=sys.stderr)
            yield Row(name, note=f"failed: {str(error)[:200]}")


def memory(setting: Setting, rows: Sequence[Row]) -> Iterator[Row]:
    """The highest peak of our commands that move data."""
    moving = [row for row in rows if row.by == OURS and row.peak_bytes and row.work.startswith(_MOVING)]
    if moving:
        highest = max(moving, key=lambda row: row.peak_bytes or 0)
        peak_mb = (highest.peak_bytes or 0) / 1e6
        yield Row(
            "peak memory of ingest, pull, verify", peak_bytes=highest.peak_bytes,
            targets=setting.timed(at_most(peak_mb, _MOST_MB, " MB")), note=f"{peak_mb:.0f} MB: {highest.work}",
        )  # fmt: skip


def about(words: Sequence[str]) -> dict[str, object]:
    """The command, the versions, the machine, and how busy it is."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "command": f"`{' '.join(('python tests/bench/run.py', *words))}`",
        "date": time.strftime("%d %B %Y, %H:%M UTC", time.gmtime()),
        "sxeslake": _version(),
        "machine": f"{_processor()}, {usable_cores()} cores, {memory / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "load": _load(),
    }


def _load() -> str:
    return " ".join(f"{load:.1f}" for load in os.getloadavg())


def _version() -> str:
    """`1.4.0, 0a1b2c3`."""
    version = run(sxeslake("--version")).output.split()[-1]
    with contextlib.suppress(RuntimeError, OSError):
        version += ", " + run(["git", "describe", "--always", "--dirty"], cwd=Path(__file__).parent).output.strip()
    return version


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    words = sys.argv[1:] if words is None else words
    asked = _parser().parse_args(words)
    names = asked.only.split(",") if asked.only else list(BY_DEFAULT)
    if unknown := [name for name in names if name not in LINES]:
        print(f"no line is called {', '.join(unknown)}; there are {', '.join(LINES)}", file=sys.stderr)
        return 2
    with _folder(asked.folder) as folder:
        there, absent = peers.found(folder, asked.peers, thorough=asked.thorough) if asked.peers else ([], [])
        began = time.perf_counter()
        facts = {**about(words), "positions": asked.positions, "rounds": asked.repeat}
        facts["peers"] = ", ".join(dict.fromkeys(peer.version() for peer in there)) or "not asked for"
        if absent:
            facts["not installed"] = ", ".join(absent)
        setting = Setting(folder, asked.positions, asked.repeat, asked.small, tuple(there))
        rows: list[Row] = []
        for row in measure(setting, names):
            rows.append(row)
            print(f"{row.work} | {row.by} | {row.seconds} s | {row.note}", file=sys.stderr, flush=True)
        rows += memory(setting, rows)
    facts |= {"load at the end": _load(), "took": f"{(time.perf_counter() - began) / 60:.0f} minutes"}
    text = report(facts, rows)
    print(text)
    if asked.results:
        document = asked.results.read_text(encoding="utf-8")
        asked.results.write_text(filled(document, {"run": text.rstrip("\n")}), encoding="utf-8")
    if asked.table:
        asked.table.parent.mkdir(parents=True, exist_ok=True)
        asked.table.write_text(text, encoding="utf-8")
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        table.write_json(asked.json, facts, rows)
    return 0


def report(facts: Mapping[str, object], rows: Sequence[Row]) -> str:
    """What was measured, where and how, in Markdown."""
    head = "".join(f"- {name}: {value}\n" for name, value in facts.items())
    limits = f"\nThe limits:\n\n{table.limits(rows)}" if any(row.limit for row in rows) else ""
    return f"{head}\n{table.markdown(rows)}{limits}"


@contextlib.contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    """A folder that is kept because it was named, or one that is gone afterwards."""
    if named is not None:
        named.mkdir(parents=True, exist_ok=True)
        yield named.resolve()
        return
    made = Path(tempfile.mkdtemp(prefix="sxeslake-bench-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--positions", type=int, default=FULL_SIZE, help="of the map: 14, 2500, 100000 …")
    parser.add_argument("--repeat", type=int, default=3, help="rounds whose median counts")
    parser.add_argument("--peers", nargs="?", const=QUICK, help=f"measure peers too: {QUICK}, or some of {ALL}")
    parser.add_argument("--thorough", action="store_true", help="with --peers: also 7-Zip at -mx5 and -mx9, minutes")
    parser.add_argument("--only", help=f"some lines of {','.join(LINES)}; without it all to {list(BY_DEFAULT)[-1]}")
    parser.add_argument(
        "--small", type=int, default=_SMALL, help="archives of the line `small`; `unchanged` has four times as many"
    )
    parser.add_argument("--folder", type=Path, help="work here, and keep what was made for the next run")
    parser.add_argument(
        "--results", nargs="?", const=RESULTS, type=Path, help="write the table into RESULTS.md, in place of the last"
    )
    parser.add_argument("--table", type=Path, help="write the table there too")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
