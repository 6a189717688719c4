"""Where a benchmark runs: its folder, its map, the lakes that it makes, how many rounds."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from bench.limit import Rates
from bench.measure import Cost, bytes_below, on_cores, python, run, sxeslake, usable_cores
from bench.peers import Peer, SevenZip, seven_zip
from bench.table import Target

WORKLOAD = Path(__file__).with_name("workload.py")
CHILDREN = Path(__file__).with_name("children.py")
PARTS = Path(__file__).with_name("parts.py")
FULL_SIZE = 2500  # positions of the map that times and processor seconds are asked for
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
    _frame_rates: dict[str, Rates] = field(default_factory=dict)

    @property
    def worker_archives(self) -> int:
        """Archives that several workers share."""
        return 200 if self.positions == FULL_SIZE else self.small_archives

    def timed(self, *targets: Target) -> tuple[Target, ...]:
        """What is to be reached in the map of 2,500 positions alone."""
        return targets if self.positions == FULL_SIZE else ()

    @property
    def cores(self) -> int:
        """Cores that a work may use."""
        return usable_cores()

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

    @cached_property
    def raw_bytes(self) -> int:
        """All members of the map."""
        return bytes_below(self.tree)

    def tiny(self, positions: int) -> Path:
        """As many positions, nearly all of them with tiny arrays: `tiny.plzip`."""
        path = self.folder / f"tiny-{positions}" / "tiny.plzip"
        if not path.exists():
            path.parent.mkdir()
            run(python(WORKLOAD, "tiny", path, str(positions)))
        return path

    def sessions(self, archives: int, kind: Literal["small", "usual"] = "small") -> Path:
        """A folder of so many archives of four or 14 positions."""
        folder = self.folder / f"{kind}-{archives}"
        if not folder.exists():
            run(python(WORKLOAD, kind, folder, str(archives)))
        return folder

    @cached_property
    def byte_rates(self) -> Rates:
        """What the parts of a work cost a byte, whatever the pipelines."""
        rates: Rates = json.loads(run(python(PARTS, "bytes", self.map, self.folder)).output)
        return rates

    def rates(self, lake: str) -> Rates:
        """The same, with encode and decode by the pipelines that a lake's frames have."""
        if lake not in self._frame_rates:
            found = run(python(PARTS, "frames", self.folder / lake))
            self._frame_rates[lake] = {**self.byte_rates, **json.loads(found.output)}
        return self._frame_rates[lake]

    def new_lake(self, name: str = "lake") -> Path:
        """An empty lake in a folder, with an empty cache."""
        lake = self.folder / name
        for folder in (lake, self.cache(name)):
            shutil.rmtree(folder, ignore_errors=True)
        self.ours("init", str(lake), cache=name)
        return lake

    def cache(self, name: str) -> Path:
        """The cache of a lake by its name."""
        return self.folder / "cache" / name

    def in_lake(self, name: str, *words: str | Path, cores: int | None = None) -> Cost:
        """Run sxeslake on a lake of this folder, with the cache of that lake; `cores`: on so many, else on all."""
        return self.ours(*words, "--lake", self.folder / name, cache=name, cores=cores)

    def into_new_lake(self, name: str, *words: str | Path, cores: int | None = None) -> Cost:
        """The same in an empty lake, which takes the place of the one before."""
        self.new_lake(name)
        return self.in_lake(name, *words, cores=cores)

    def ours(
        self, *words: str | Path, environment: Mapping[str, str] | None = None, cache: str = "lake",
        cores: int | None = None,
    ) -> Cost:  # fmt: skip
        """Run sxeslake with a cache of its own."""
        own = {"SXESLAKE_CACHE": str(self.cache(cache)), "SXESLAKE_CONFIG": str(self.folder / "config")}
        command = on_cores(sxeslake(*words), cores)
        return run(command, environment={**own, **(environment or {})}, cwd=self.folder)

    def child(self, *words: str | Path, environment: Mapping[str, str] | None = None, cache: str = "lake") -> Cost:
        """Run a verb of `children.py` with the same cache."""
        own = {"SXESLAKE_CACHE": str(self.cache(cache)), "SXESLAKE_CONFIG": str(self.folder / "config")}
        return run(python(CHILDREN, *words), environment={**own, **(environment or {})}, cwd=self.folder)
