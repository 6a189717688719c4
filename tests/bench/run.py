"""The benchmark: a table of what sxeslake costs, with ratios to restic, borg, 7-Zip and DVC measured in the same run.

    python tests/bench/run.py                                     the map of 2,500 positions, without peers
    python tests/bench/run.py --peers --table table.md            with the peers that are installed
    python tests/bench/run.py --positions 100000 --only ingest,pull    17 GB raw; needs 30 GB of disk, with peers 60
    python tests/bench/run.py --positions 100000 --only one-position   the same members with tiny arrays: 1 GB of disk

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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import bucket_lines, growth_lines, local_lines, peers, table
from bench.setting import Setting
from bench.table import Row

Line = Callable[[Setting], Iterator[Row]]

LINES: dict[str, Line] = {
    "ingest": local_lines.ingest,
    "pull": local_lines.pull,
    "resave": local_lines.resave,
    "start": local_lines.start,
    "real": local_lines.real,
    "small": bucket_lines.small_archives,
    "one-position": bucket_lines.one_position,
    "latency": bucket_lines.latency,
    "catalogue": growth_lines.catalogue,
    "flat": growth_lines.flat,
}
BY_DEFAULT = 2500
_SMALL = 250
ALL = ",".join(peers.NAMES)


def measure(setting: Setting, names: Sequence[str]) -> Iterator[Row]:
    """The rows of some lines; a line that fails says so and leaves the others alone."""
    for name in names:
        try:
            yield from LINES[name](setting)
        except RuntimeError as error:
            print(f"{name}: {error}", file=sys.stderr)
            yield Row(name, note=f"failed: {str(error)[:200]}")


def about() -> dict[str, object]:
    """The machine, and how busy it is."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, {memory / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    asked = _parser().parse_args(words)
    names = asked.only.split(",") if asked.only else list(LINES)
    if unknown := [name for name in names if name not in LINES]:
        print(f"no line is called {', '.join(unknown)}; there are {', '.join(LINES)}", file=sys.stderr)
        return 2
    with _folder(asked.folder) as folder:
        there, absent = peers.found(folder, asked.peers, thorough=asked.thorough) if asked.peers else ([], [])
        facts = {**about(), "positions": asked.positions, "rounds": asked.repeat}
        facts["peers"] = ", ".join(dict.fromkeys(peer.version() for peer in there)) or "not asked for"
        if absent:
            facts["not installed"] = ", ".join(absent)
        setting = Setting(folder, asked.positions, asked.repeat, asked.small, tuple(there))
        rows = []
        for row in measure(setting, names):
            rows.append(row)
            print(f"{row.work} | {row.by} | {row.seconds} s | {row.note}", file=sys.stderr, flush=True)
    facts["load at the end"] = about()["load"]
    text = "".join(f"- {name}: {value}\n" for name, value in facts.items()) + "\n" + table.markdown(rows)
    print(text)
    if asked.table:
        asked.table.parent.mkdir(parents=True, exist_ok=True)
        asked.table.write_text(text)
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        table.write_json(asked.json, facts, rows)
    return 0


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
    parser.add_argument("--positions", type=int, default=BY_DEFAULT, help="of the map: 14, 2500, 100000 …")
    parser.add_argument("--repeat", type=int, default=3, help="rounds whose median counts")
    parser.add_argument("--peers", nargs="?", const=ALL, help="measure peers too: all installed, or restic,borg …")
    parser.add_argument("--thorough", action="store_true", help="with --peers: also 7-Zip at -mx5 and -mx9, minutes")
    parser.add_argument("--only", help=f"some lines: {','.join(LINES)}")
    parser.add_argument("--small", type=int, default=_SMALL, help="archives of the line `small`")
    parser.add_argument("--folder", type=Path, help="work here, and keep what was made for the next run")
    parser.add_argument("--table", type=Path, help="write the table there too")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
