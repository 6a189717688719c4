"""Mutation run: break one critical line at a time, and see whether the tests that guard it fail.

    python tests/mutants/run.py                     all mutants of mutants.toml, and the score
    python tests/mutants/run.py gc-recipes …        some of them
    python tests/mutants/run.py --list              their names

Each mutant replaces one piece of text that stands exactly once in its file. The run works on copies of the checkout;
the checkout itself is never changed. Exit code 1 when a mutant survives.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("mutants.toml")
_COPIED = ("sxeslake", "queries", "tests", "examples", "infra", "docs", "pyproject.toml", "README.md", "LICENSE")
_TIMEOUT_S = 240  # a mutant that makes a test hang is noticed as well


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file, the tests that must notice it, and what goes wrong if they do not."""

    name: str
    why: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, text: str) -> str:
        """The file's text with the mutation; ValueError where `old` does not stand exactly once."""
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.name}: {self.old!r} stands {found} times in {self.file}, not once")
        return text.replace(self.old, self.new)


def mutants() -> list[Mutant]:
    """All mutants of the list."""
    document = tomllib.loads(LIST.read_text())
    return [Mutant(**{**item, "tests": tuple(item["tests"])}) for item in document["mutant"]]


def run_one(mutant: Mutant, checkout: Path) -> str:
    """`killed`, `survived` or `timed out`; the copy in `checkout` is as it was afterwards."""
    path = checkout / mutant.file
    text = path.read_text()
    path.write_text(mutant.applied(text))
    command = [
        sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *mutant.tests
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return "timed out"
    finally:
        path.write_text(text)
    if done.returncode not in (0, 1):  # 1: a test failed; all else is a fault of the run
        raise RuntimeError(
            f"{mutant.name}: pytest ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return "killed" if done.returncode else "survived"


def copied(to: Path) -> Path:
    """A copy of the checkout, as far as the tests need it."""
    to.mkdir()
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, to / name)
    return to


def main() -> int:
    """Run the mutants that the command line names."""
    parser = argparse.ArgumentParser(description="Break critical lines one at a time; the tests must notice.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutants to run; all where none is named")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants at a time")
    parser.add_argument("--list", action="store_true", help="print the names and why each matters")
    options = parser.parse_args()
    known = mutants()
    if unknown := set(options.names) - {mutant.name for mutant in known}:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    chosen = [mutant for mutant in known if not options.names or mutant.name in options.names]
    if options.list:
        for mutant in chosen:
            print(f"{mutant.name:24} {mutant.why}")
        return 0
    outcomes: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="sxeslake-mutants-") as folder:
        free: SimpleQueue[Path] = SimpleQueue()
        for number in range(options.jobs):
            free.put(copied(Path(folder) / str(number)))

        def work(mutant: Mutant) -> None:
            checkout = free.get()
            began = time.monotonic()
            try:
                outcomes[mutant.name] = run_one(mutant, checkout)
            finally:
                free.put(checkout)
            print(f"{outcomes[mutant.name]:9} {mutant.name:24} {time.monotonic() - began:5.1f} s", flush=True)

        with ThreadPoolExecutor(options.jobs) as workers:
            list(workers.map(work, chosen))
    survived = [name for name, outcome in outcomes.items() if outcome == "survived"]
    print(
        f"{len(outcomes) - len(survived)} of {len(outcomes)} mutants noticed"
        + "".join(f"\nsurvived: {n}" for n in survived)
    )
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
