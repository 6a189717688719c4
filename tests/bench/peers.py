"""The programs that we are measured beside, each as its own manual tells to use it; absent ones are named."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from bench.measure import Cost, bytes_below, run

NAMES = ("restic", "borg", "dvc", "7zz")
QUICK = ("restic", "borg")
"""Those that take part where no names are given: DVC and 7-Zip take minutes."""


class Peer(Protocol):
    """A program that keeps folders: store one, store it again, give it back."""

    name: str
    heavy: bool
    """One round is enough: it takes minutes."""

    def version(self) -> str:
        """As it says itself."""

    def store(self, source: Path, repository: Path) -> Cost:
        """Into a new repository; making that is not counted."""

    def again(self, source: Path, repository: Path) -> Cost | None:
        """The same folder once more; None where the program keeps no state."""

    def restore(self, repository: Path, out: Path) -> Cost:
        """Back to a folder that does not exist yet."""


class Restic:
    """restic, local or on S3."""

    name, heavy = "restic", False

    def __init__(self, home: Path) -> None:
        self._home = home

    def version(self) -> str:
        """`restic 0.14.0`."""
        return " ".join(run(["restic", "version"]).output.split()[:2])

    def store(self, source: Path, repository: Path) -> Cost:
        self._run("init", repository)
        return self._run("backup", repository, ".", cwd=source)

    def again(self, source: Path, repository: Path) -> Cost:
        return self._run("backup", repository, ".", cwd=source)

    def restore(self, repository: Path, out: Path) -> Cost:
        return self._run("restore", repository, "latest", "--target", str(out))

    def verify(self, repository: Path) -> Cost:
        """Read and prove every stored byte."""
        return self._run("check", repository, "--read-data")

    def on_bucket(self, verb: str, url: str, environment: Mapping[str, str], *words: str, cwd: Path) -> Cost:
        """A verb on `s3:http://host/bucket/prefix`."""
        return self._run(verb, url, *words, cwd=cwd, environment=environment)

    def _run(
        self, verb: str, repository: str | Path, *words: str, cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Cost:  # fmt: skip
        cache = str(self._home / "restic-cache")
        own = {"RESTIC_PASSWORD": "benchmark", "RESTIC_CACHE_DIR": cache, **(environment or {})}
        return run(["restic", verb, "--quiet", "--repo", repository, *words], cwd=cwd, environment=own)


class Borg:
    """borg with zstd 3, without encryption."""

    name, heavy = "borg", False

    def __init__(self, home: Path) -> None:
        self._home = home

    def version(self) -> str:
        """`borg 1.2.4`."""
        return run(["borg", "--version"], environment=self._environment()).output.strip()

    def store(self, source: Path, repository: Path) -> Cost:
        run(["borg", "init", "-e", "none", repository], environment=self._environment())
        return self._create(source, f"{repository}::first")

    def again(self, source: Path, repository: Path) -> Cost:
        return self._create(source, f"{repository}::again-{time.time_ns()}")

    def restore(self, repository: Path, out: Path) -> Cost:
        out.mkdir(parents=True)
        return run(["borg", "extract", f"{repository}::first"], cwd=out, environment=self._environment())

    def verify(self, repository: Path) -> Cost:
        """Read and prove every stored byte."""
        return run(["borg", "check", "--verify-data", repository], environment=self._environment())

    def _create(self, source: Path, name: str) -> Cost:
        return run(["borg", "create", "-C", "zstd,3", name, "."], cwd=source, environment=self._environment())

    def _environment(self) -> dict[str, str]:
        return {"BORG_BASE_DIR": str(self._home / "borg"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}


Quick = Restic | Borg
"""Those that take a turn in each round."""


class SevenZip:
    """7-Zip at one setting; its archive is what it stores."""

    def __init__(self, program: str, setting: str, *, heavy: bool) -> None:
        self._program, self._setting, self.heavy = program, setting, heavy
        self.name = f"{program} a {setting}"

    def version(self) -> str:
        """`7-Zip (z) 26.02`."""
        return " ".join(run([self._program]).output.split()[:3])

    def store(self, source: Path, repository: Path) -> Cost:
        repository.mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [
            self._program,
            "a",
            "-bd",
            "-y",
            *self._setting.split(),
            self.archive(repository),
            ".",
        ]
        return run(command, cwd=source)

    def again(self, source: Path, repository: Path) -> Cost | None:
        return None

    def restore(self, repository: Path, out: Path) -> Cost:
        return run([self._program, "x", "-bd", "-y", f"-o{out}", self.archive(repository)])

    def archive(self, repository: Path) -> Path:
        """What `store` has made."""
        return repository / ("packed.zip" if "zip" in self._setting else "packed.7z")


class Dvc:
    """DVC without git: the folder is added to its cache, which is a copy of every file."""

    name, heavy = "dvc", True

    def version(self) -> str:
        """`dvc 3.6`."""
        return f"dvc {run(['dvc', '--version']).output.strip()}"

    def store(self, source: Path, repository: Path) -> Cost:
        repository.mkdir(parents=True)
        run(["dvc", "init", "--no-scm", "-q"], cwd=repository)
        run(["dvc", "config", "core.analytics", "false"], cwd=repository)
        shutil.copytree(source, repository / "map")
        return run(["dvc", "add", "-q", "map"], cwd=repository)

    def again(self, source: Path, repository: Path) -> Cost | None:
        return run(["dvc", "add", "-q", "map"], cwd=repository)

    def restore(self, repository: Path, out: Path) -> Cost:
        shutil.rmtree(repository / "map")
        return run(["dvc", "checkout", "-q"], cwd=repository)

    def stored_bytes(self, repository: Path) -> int:
        """Its cache, without the copy in the work tree."""
        return bytes_below(repository / ".dvc" / "cache")


def stored_bytes(peer: Peer, repository: Path) -> int:
    """What a peer keeps for what it was given."""
    return peer.stored_bytes(repository) if isinstance(peer, Dvc) else bytes_below(repository)


def seven_zip() -> str | None:
    """The 7-Zip that is installed."""
    return next((name for name in ("7zz", "7z") if shutil.which(name)), None)


def found(home: Path, wanted: str, *, thorough: bool) -> tuple[list[Peer], list[str]]:
    """Of the peers that are wanted, those installed, and the names of the others.

    `found(home, "restic,7zz", thorough=True)`; `thorough` adds 7-Zip's slow settings.
    """
    peers: list[Peer] = []
    absent = []
    for peer in (Restic(home), Borg(home), Dvc()):
        if peer.name not in wanted:
            continue
        if shutil.which(peer.name):
            peers.append(peer)
        else:
            absent.append(peer.name)
    program = seven_zip()
    if "7zz" not in wanted:
        return peers, absent
    if program is None:
        return peers, [*absent, "7zz"]
    peers += [SevenZip(program, "-t7z -mx1", heavy=True), SevenZip(program, "-tzip", heavy=True)]
    if thorough:
        peers += [SevenZip(program, "-t7z -mx5", heavy=True), SevenZip(program, "-t7z -mx9", heavy=True)]
    return peers, absent
