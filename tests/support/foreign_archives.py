"""Archives of other programs, tried: `python tests/support/foreign_archives.py FOLDER [FOLDER...]`.

Each file is ingested into a lake of its own, in a process of its own, then pulled as zip, 7z and folder. What 7-Zip
extracts must be what the pulls hold; else the refusal, or the reason why the file is kept whole, is printed for a
person to judge. A crash, a hang, more than 2 GiB of memory, or an archive that goes in and does not come out is a
failure: exit code 1.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

SECONDS = 60
MEMORY_BYTES = 6 << 30  # of address space: threads reserve more than they use
SUFFIXES = {".zip", ".7z", ".jar", ".zipx", ".cbz", ".apk", ".docx", ".epub", ".exe", ".plzip", ".pl7z"}

_WORK = """
import json, sys
from pathlib import Path
import sxeslake
source, there = Path(sys.argv[1]), Path(sys.argv[2])
lake = sxeslake.init(str(there / "lake"))
archive = lake.ingest(source, sample="x").archives[0]
told = {"status": archive.status, "kind": archive.kind, "error": archive.error, "warnings": archive.warnings}
print(json.dumps(told), flush=True)
if archive.status == "added":
    for name in ("zip", "7z"):
        lake.pull("x", there / f"out.{name}", exact=False)
    lake.pull("x", there / "folder", container="folder")
    print("{}")
"""


def main(folders: list[str]) -> int:
    """Try every archive below some folders; 1 where anything failed."""
    tally, failures = Counter[str](), 0
    for source in sorted(_archives(folders)):
        with TemporaryDirectory() as there:
            verdict, detail = _try(source, Path(there))
        tally[verdict] += 1
        failures += verdict == "FAILED"
        if verdict != "equal":
            print(f"{verdict:10} {source}: {detail}", flush=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(tally.items())))
    return 1 if failures else 0


def _archives(folders: list[str]) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def _try(source: Path, there: Path) -> tuple[str, str]:
    try:
        done = _run([sys.executable, "-c", _WORK, str(source), str(there)], cache=there / "cache")
    except subprocess.TimeoutExpired:
        return "FAILED", f"not done after {SECONDS} s"
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        return "FAILED", _last(done.stderr)
    told: dict[str, Any] = lines[0]
    if told["status"] != "added":
        unforeseen = "error in sxeslake" in str(told["error"])
        return ("FAILED" if unforeseen else "refused"), f"{told['error']}  [7-Zip: {_judged(source, there)[1]}]"
    if len(lines) < 2 or done.returncode:
        return "FAILED", f"went in and does not come out: {_last(done.stderr)}"
    if told["kind"] == "opaque":
        same = (there / f"out.{_container(there)}").read_bytes() == source.read_bytes()
        return ("opaque" if same else "FAILED"), "; ".join(told["warnings"])
    return _compare(source, there)


def _container(there: Path) -> str:
    """Which of both pulls is the file itself: the container that the lake recorded."""
    entry = json.loads(next((there / "lake" / "log").glob("*1.json")).read_bytes())
    return str(entry["archives"][0]["source"]["container"])


def _compare(source: Path, there: Path) -> tuple[str, str]:
    expected, said = _judged(source, there)
    if expected is None:
        return "unjudged", said
    for name in ("out.zip", "out.7z"):
        found, said = _judged(there / name, there)
        if found is None:
            return "FAILED", f"7-Zip does not read {name}: {said}"
        if found != expected:
            return "differs", f"{name}: {_difference(expected, found)}"
    found = _below(there / "folder")
    return ("equal", "") if found == expected else ("differs", f"folder: {_difference(expected, found)}")


def _difference(expected: Counter[str], found: Counter[str]) -> str:
    return f"7-Zip has {expected.total()} contents, {sum((expected - found).values())} are not here"


def _judged(source: Path, there: Path) -> tuple[Counter[str] | None, str]:
    """What 7-Zip extracts, as contents; None, and its word, where it fails."""
    program = next(filter(None, map(shutil.which, ("7zz", "7z"))), None)
    if program is None:
        return None, "not installed"
    out = there / "judged"
    shutil.rmtree(out, ignore_errors=True)
    try:
        done = _run(
            [program, "x", "-y", "-bd", "-aou", "-snld20", "-pnone", f"-o{out}", "--", str(source)], cache=there
        )
    except subprocess.TimeoutExpired:
        return None, "hangs"
    if done.returncode:
        return None, f"code {done.returncode}"
    return _below(out), "reads it"


def _below(folder: Path) -> Counter[str]:
    found = Counter[str]()
    for here, folders, files in os.walk(folder):
        for name in (*files, *folders):
            place = Path(here) / name
            if place.is_symlink():
                found[_digest(os.fsencode(place.readlink()))] += 1
            elif place.is_file():
                found[_digest(place.read_bytes())] += 1
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _run(command: list[str], *, cache: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    shell = ["prlimit", f"--as={MEMORY_BYTES}", "--"] if shutil.which("prlimit") else []
    return subprocess.run(
        [*shell, *command], capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False,
        stdin=subprocess.DEVNULL, env=environment,
    )  # fmt: skip


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no word"])[-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
