"""Where a benchmark runs: its folder, its map, the lakes that it makes, how many rounds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bench.measure import Cost, python, run, sxeslake
from bench.peers import Peer, SevenZip, seven_zip

WORKLOAD = Path(__file__).with_name("workload.py")
CHILDREN = Path(__file__).with_name("children.py")
LARGEST_BY_SEVEN_ZIP = 20_000  # positions: beyond, it would pack for hours


@dataclass(frozen=True)
class Setting:
    """One run of the benchmark."""

    folder: Path
    positions: int
    rounds: int
    small_archives: int
    peers: tuple[Peer, ...] = ()
    known: dict[str, Cost] = field(default_factory=dict)  # what preparing has measured by the way

    @property
    def own_map(self) -> Path:
        """The map as our writer packs it."""
        path = self.folder / "map-own.plzip"
        if not path.exists():
            run(python(WORKLOAD, "map", path, str(self.positions)))
        return path

    @property
    def tree(self) -> Path:
        """The map as files, for those who keep folders."""
        path = self.folder / "map"
        if not path.exists():
            run(python(WORKLOAD, "unpack", self.own_map, path))
        return path

    @cached_property
    def map(self) -> Path:
        """The map as a `.plzip`: by 7-Zip where that is installed, as real ones are, else by our own writer."""
        path = self.folder / "source" / "map.plzip"
        path.parent.mkdir(exist_ok=True)
        program = seven_zip()
        if path.exists():
            return path
        if program is None or self.positions > LARGEST_BY_SEVEN_ZIP:
            os.link(self.own_map, path)  # 10 GB of 100,000 positions: a copy may not find room
            return path
        peer = SevenZip(program, "-tzip", heavy=True)
        self.known[peer.name] = peer.store(self.tree, self.folder / "packed")
        peer.archive(self.folder / "packed").rename(path)
        return path

    def new_lake(self, name: str = "lake") -> Path:
        """An empty lake in a folder, with an empty cache."""
        lake = self.folder / name
        for folder in (lake, self.cache(lake.name)):
            shutil.rmtree(folder, ignore_errors=True)
        self.ours("init", str(lake))
        return lake

    def cache(self, name: str) -> Path:
        """The cache of a lake by its name."""
        return self.folder / "cache" / name

    def ours(self, *words: str | Path, environment: Mapping[str, str] | None = None, cache: str = "lake") -> Cost:
        """Run sxeslake with a cache of its own."""
        own = {"SXESLAKE_CACHE": str(self.cache(cache)), "SXESLAKE_CONFIG": str(self.folder / "config")}
        return run(sxeslake(*words), environment={**own, **(environment or {})}, cwd=self.folder)

    def child(self, *words: str | Path, environment: Mapping[str, str] | None = None, cache: str = "lake") -> Cost:
        """Run a verb of `children.py` with the same cache."""
        own = {"SXESLAKE_CACHE": str(self.cache(cache)), "SXESLAKE_CONFIG": str(self.folder / "config")}
        return run(python(CHILDREN, *words), environment={**own, **(environment or {})}, cwd=self.folder)
