"""How a lake grows: makes lakes of metadata alone, measures what is done with them, and holds the model against them.

    python tests/bench/scaling.py --smoke                             1,000 archives: does the model still hold?
    python tests/bench/scaling.py --archives 10000 --archives 1000000 --folder /big/disk --write
    python tests/bench/scaling.py --write                             only write the tables of infra/SCALING.md

A million archives take some 7 GB of disk and, on an idle machine, an hour. Figures are kept in `scaling.json` beside
this file, by size; `--write` makes the tables of `infra/SCALING.md` of them and of the model.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import scaling_model as model
from bench.document import filled
from bench.measure import bytes_below, files_below, python, run, sxeslake
from bench.scaling_model import Facility, Prediction, predict

HERE = Path(__file__).parent
FIGURES = HERE / "scaling.json"
DOCUMENT = HERE.parents[1] / "infra" / "SCALING.md"
SMOKE_ARCHIVES = 1000
PER_COMMIT = 256
_WORK, _MAKE, _CHILDREN = HERE / "scaling_work.py", HERE / "metadata_lake.py", HERE / "children.py"
_MIB = 1 << 20

Figures = dict[str, Any]
"""`{"works": {work: cost}, "found": {quantity: bytes or objects}}` of one size."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a lake of some size and the caches of its clients are."""

    folder: Path
    archives: int
    per_commit: int
    has_catalogue: bool = True

    @property
    def lake(self) -> Path:
        """The lake; kept, where the folder is: making it is the longest part."""
        return self.folder / f"lake-{self.archives}"

    def environment(self, client: str) -> Mapping[str, str]:
        """Of a client with a cache of its own."""
        return {
            "SXESLAKE_CACHE": str(self.cache(client)),
            "SXESLAKE_CONFIG": str(self.folder / "config"),
            "PYTHONHASHSEED": "0",
        }

    def cache(self, client: str) -> Path:
        """A client's cache."""
        return self.folder / f"cache-{self.archives}-{client}"

    def work(self, client: str, verb: str, *words: str | Path) -> Figures:
        """What a verb costs a client."""
        cost = run(python(_WORK, self.lake, verb, *words), environment=self.environment(client))
        found: Figures = json.loads(cost.output)  # with its own peak: that of `cost` begins as large as this process
        return found

    def tiny_archive(self, number: int) -> Path:
        """A small archive that nobody has."""
        path = self.folder / f"new-{number}.plzip"
        run(python(_CHILDREN, "tiny-archive", path, str(10_000_000 + number)))
        return path


def make(setting: Setting) -> None:
    """Fill the lake; one that was begun is gone on with."""
    done = setting.folder / f"{setting.lake.name}.made"
    if done.exists():
        return
    if not setting.lake.exists():
        run(sxeslake("init", setting.lake), environment=setting.environment("maker"))
    words = (setting.lake, str(setting.archives), str(setting.per_commit))
    run(python(_MAKE, *words), environment=setting.environment("maker"))
    done.touch()


def measured(setting: Setting) -> Iterator[tuple[str, Figures]]:
    """Each work in a process of its own, in the order in which they leave the least behind."""
    for client in ("first", "second", "third"):
        shutil.rmtree(setting.cache(client), ignore_errors=True)
    yield "open, new client, no checkpoint", setting.work("first", "open")
    yield "open, warm", setting.work("first", "open")
    yield "`ls` of all", setting.work("first", "ls")
    yield "first commit of a client: one archive", setting.work("first", "commit", setting.tiny_archive(1))
    yield "`gc`, plan alone", setting.work("first", "gc-plan")
    if not setting.has_catalogue:
        return
    yield "first catalogue", setting.work("first", "sync")
    yield "`query` for positions", setting.work("first", "query")
    yield "commit of one archive", setting.work("first", "commit", setting.tiny_archive(2))
    yield "catalogue, one commit behind", setting.work("first", "sync")
    yield "`checkpoint`", setting.work("first", "checkpoint")
    yield "open, new client, checkpoint", setting.work("second", "open")
    yield "catalogue, new client, checkpoint", setting.work("second", "sync")
    setting.work("first", "forget", "session-*9" if setting.archives <= SMOKE_ARCHIVES else "session-*99")
    yield "`gc`, some versions forgotten", setting.work("first", "gc")


def sizes(setting: Setting) -> dict[str, int]:
    """What there is in the lake and, of the client that made it, in its cache."""
    lake, cache = setting.lake, setting.cache("first")
    found: dict[str, int] = {}
    for kind in ("log", "manifests", "packs"):
        found[f"{kind}: objects"], found[f"{kind}: bytes"] = files_below(lake / kind), bytes_below(lake / kind)
    found["folded log on a client: bytes"] = sum(bytes_below(path) for path in cache.rglob("state.sqlite"))
    return found


def published(setting: Setting) -> dict[str, int]:
    """What the checkpoint holds, and the blob index of the client that committed."""
    files = [path for path in (setting.lake / "checkpoints").rglob("*") if path.is_file()]
    log = [path for path in files if path.name.startswith("log-")]
    index = setting.cache("first").rglob("*.seg")
    return {
        "log in a checkpoint: bytes": sum(map(bytes_below, log)),
        "catalogue: bytes": sum(bytes_below(path) for path in files if path.suffix == ".parquet"),
        "blob index: bytes": sum(map(bytes_below, index)),
    }


def facility_of(setting: Setting) -> Facility:
    """What `metadata_lake.py` makes, as the model sees it."""
    return Facility(
        "metadata", setting.archives, 1, setting.per_commit,
        shared=2, arrays_each=2, recipe_bytes=0, position_bytes=2 * 64, is_collected=False,
    )  # fmt: skip


def foreseen(said: Prediction) -> dict[str, float]:
    """The model's figure for each that is found."""
    return {
        "log: objects": said.log_objects,
        "log: bytes": said.log_bytes,
        "manifests: objects": said.manifest_objects,
        "manifests: bytes": said.manifest_bytes,
        "packs: objects": said.pack_objects,
        "packs: bytes": said.pack_bytes,
        "folded log on a client: bytes": said.state_bytes,
        "log in a checkpoint: bytes": said.checkpoint_log_bytes,
        "catalogue: bytes": said.catalogue_bytes,
        "blob index: bytes": said.index_bytes,
        "requests: open, warm": said.open_requests,
        "requests: new client, no checkpoint": said.cold_requests,
        "requests: `gc`, no checkpoint": said.cold_requests + said.manifest_objects + said.pack_objects,
        "requests: first catalogue": said.sync_requests,
        "memory: new client": model.OPEN_BYTES,
        "memory: `ls`": said.ls_memory,
        "memory: `gc`": said.gc_memory,
    }


TOLERANCE = {"requests": 0.25, "memory": 0.4}
"""By how much a figure may differ from the model; by a tenth, where nothing stands here."""


def within(quantity: str, found: float, said: float) -> bool:
    """Whether a figure is what the model says; less memory is no fault of the model."""
    slack = TOLERANCE.get(quantity.partition(":")[0], 0.1)
    too_little = not quantity.startswith("memory") and found < said * (1 - slack) - 4
    return not too_little and found <= said * (1 + slack) + 4


def figures(setting: Setting, note: Callable[[Figures], None] = lambda _: None) -> Figures:
    """Make the lake and measure it; `note` is told after each work, for the next can take an hour."""
    make(setting)
    works: dict[str, Figures] = {}
    found: dict[str, float] = {}
    for name, cost in measured(setting):
        works[name] = cost
        print(f"{setting.archives:,}: {name}: {cost['seconds']:.2f} s, {cost['peak_bytes'] / _MIB:.0f} MiB", flush=True)
        if name == "`ls` of all":
            found |= sizes(setting)
        if name == "`checkpoint`":
            found |= published(setting)
        note(_together(setting, works, found))
    return _together(setting, works, found)


def _together(setting: Setting, works: Mapping[str, Figures], sizes: Mapping[str, float]) -> Figures:
    found = dict(sizes)
    for figure, (name, of) in _OF_WORKS.items():
        if name in works:
            found[figure] = of(works[name])
    return {"works": works, "found": found, "per_commit": setting.per_commit}


def _requests(cost: Figures) -> int:
    """But for listings, which cost a folder one for each of its folders, and a bucket one for 1,000 keys."""
    return sum(count for verb, count in cost["requests"].items() if verb != "LIST")


def _memory(cost: Figures) -> int:
    return int(cost["peak_bytes"])


_OF_WORKS: Mapping[str, tuple[str, Callable[[Figures], int]]] = {
    "requests: open, warm": ("open, warm", _requests),
    "requests: new client, no checkpoint": ("open, new client, no checkpoint", _requests),
    "requests: `gc`, no checkpoint": ("`gc`, plan alone", _requests),
    "requests: first catalogue": ("first catalogue", _requests),
    "memory: new client": ("open, new client, no checkpoint", _memory),
    "memory: `ls`": ("`ls` of all", _memory),
    "memory: `gc`": ("`gc`, plan alone", _memory),
}


def compared(archives: int, known: Figures) -> list[tuple[str, float, float, bool]]:
    """Each figure: what the model says, what was found, and whether that agrees."""
    said = foreseen(predict(facility_of(Setting(Path(), archives, known["per_commit"]))))
    return [(name, said[name], found, within(name, found, said[name])) for name, found in known["found"].items()]


def works_table(known: Mapping[str, Figures]) -> str:
    """What was measured, a line for each work and size."""
    names = {name: None for of in known.values() for name in of["works"]}
    lines: list[tuple[str, ...]] = []
    for name in names:
        for archives, of in sorted(known.items(), key=lambda item: int(item[0])):
            cost = of["works"].get(name)
            if cost is not None:
                requests = ", ".join(f"{count:,} {verb}" for verb, count in sorted(cost["requests"].items()))
                lines.append(
                    (
                        name, f"{int(archives):,}", _seconds(cost["seconds"]), _seconds(cost["cpu_s"]),
                        f"{cost['peak_bytes'] / _MIB:,.0f}", requests,
                        f"{cost['bytes_in'] / 1e6:,.1f}", f"{cost['bytes_out'] / 1e6:,.1f}",
                    )
                )  # fmt: skip
    head = ("work", "archives", "s", "CPU s", "peak MiB", "requests", "MB read", "MB written")
    return model.markdown(head, lines)


def compared_table(known: Mapping[str, Figures]) -> str:
    """Model and measurement beside each other."""
    lines: list[tuple[str, ...]] = [
        (name, f"{int(archives):,}", _figure(name, said), _figure(name, found), "✓" if agrees else "✗")
        for archives, of in sorted(known.items(), key=lambda item: int(item[0]))
        for name, said, found, agrees in compared(int(archives), of)
    ]
    return model.markdown(("figure", "archives", "model", "measured", ""), lines)


def _figure(name: str, value: float) -> str:
    return model.size(value) if name.endswith("bytes") or name.startswith("memory") else f"{value:,.0f}"


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def tables(known: Mapping[str, Figures]) -> dict[str, str]:
    """The tables of the document, by their markers."""
    return {"model": model.table(), "measured": works_table(known), "compared": compared_table(known)}


def known_figures() -> dict[str, Figures]:
    """What was measured, by number of archives."""
    return dict(json.loads(FIGURES.read_text())) if FIGURES.exists() else {}


def keep(archives: int, found: Figures) -> None:
    """Note the figures of a size in place of those before."""
    known = known_figures() | {str(archives): found}
    ordered = dict(sorted(known.items(), key=lambda item: int(item[0])))
    FIGURES.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is asked for; 1 where the model does not hold, or the document is not what this script makes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archives", type=int, action="append", default=[], help="How many; may be repeated.")
    parser.add_argument("--per-commit", type=int, default=PER_COMMIT, help="Archives of one commit.")
    parser.add_argument("--folder", type=Path, help="Where lakes are made and kept; else a temporary folder.")
    parser.add_argument("--no-catalogue", action="store_true", help="Leave out the catalogue, the longest part.")
    parser.add_argument("--smoke", action="store_true", help=f"{SMOKE_ARCHIVES:,} archives, nothing kept.")
    parser.add_argument("--write", action="store_true", help="Bring infra/SCALING.md up to date.")
    said = parser.parse_args(words)
    wrong = []
    with tempfile.TemporaryDirectory(prefix="sxeslake-scaling-") as temporary:
        folder = said.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for archives in [SMOKE_ARCHIVES] if said.smoke else said.archives:
            setting = Setting(folder.resolve(), archives, said.per_commit, not said.no_catalogue)
            found = figures(setting) if said.smoke else figures(setting, partial(keep, archives))
            print(compared_table({str(archives): found}))
            wrong += [name for name, *_, agrees in compared(archives, found) if not agrees]
    text = DOCUMENT.read_text(encoding="utf-8")
    made = filled(text, tables(known_figures()))
    if said.write:
        DOCUMENT.write_text(made, encoding="utf-8")
    elif made != text:
        wrong.append(f"{DOCUMENT.name} (--write brings it up to date)")
    if wrong:
        print(f"The model does not hold: {', '.join(wrong)}.", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
