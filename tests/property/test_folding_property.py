"""Folding is total: whatever a proved entry says, all readers take the same of it, and none of them stops."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings
from support.entries import archive, chain, manifest, named, pack
from support.odd_entries import CHANGES, Change, Values, mutated, plain, seal

from sxeslake.format import keys, logentry
from sxeslake.format.logentry import Moved
from sxeslake.salvage import salvage
from sxeslake.storage import open_store
from sxeslake.vault.log import reader as log
from sxeslake.vault.log.state import LogState

TAG = {"sample": "b", "version": 1, "tag": "paper", "action": "add", "kind": "tag"}
SAID = {"sample": "b", "version": 1, "target": "sample", "uuid": None, "key": "note", "value": "x"}
CALIBRATION = {
    "id": "g-1",
    "calibration": {"data_type": "qlw", "grating": "G", "unit": "ev", "source": "s", "table": [[0, 1.5], [9, 2]]},
}
SAYING: tuple[dict[str, Any], ...] = (
    {
        "packs": (pack(1), pack(2)),
        "manifests": (manifest(5), manifest(6)),
        "archives": tuple(archive("a", version, manifest_id=named(5), needs=(named(1),)) for version in (1, 2, 3)),
    },
    {
        "packs": (pack(3),),
        "manifests": (manifest(7),),
        "archives": (archive("b", manifest_id=named(7), needs=(named(1), named(3)), origin={"who": "x"}),),
        "moved": (Moved("a", 3, named(6), 0, 1, 1, (named(2),)),),
        "forgotten": (("a", 1), ("a", 2)),
        "restored": (("a", 2),),
        "collected": (("a", 1),),
        "condemned_packs": (named(2), named(40)),
        "condemned_manifests": (named(41),),
        "replaced": {named(2): (named(3),)},
        "tags": (TAG,),
        "annotations": (SAID,),
        "calibrations": (CALIBRATION, {"id": "g-0"}),
        "message": "hello",
        "settled": (1,),
    },
    {"manifests": (manifest(8),), "archives": (archive("c", manifest_id=named(8), needs=(named(3),)),)},
)
WHOLE = [plain(record.entry) for record in chain(*SAYING)]
HASHES = [values["previous"] for values in WHOLE[1:]]
Folded = dict[str, tuple[str, str, int, int, int]]


def written(root: Path, entries: list[Values]) -> None:
    """A log of these entries in a folder, each after the one before."""
    (root / "log").mkdir()
    previous: str | None = None
    for number, values in enumerate(entries, 1):
        data = seal({**values, "previous": previous} if values.get("previous") in HASHES else values)
        (root / keys.log_key(number)).write_bytes(data)
        found = logentry.digest_of(data, where="test")
        named_as = values.get("stands_for")
        is_hash = isinstance(named_as, str) and len(named_as) == 64 and set(named_as) <= set("0123456789abcdef")
        previous = str(named_as) if is_hash else found


def folded(root: Path) -> tuple[Folded, int, list[log.DamagedEntry]]:
    """What our own reader has of each version, how many entries it folded, and those it could not have."""
    state = LogState(root / "state.sqlite")
    lost: list[log.DamagedEntry] = []
    log.sync(open_store(str(root)), state, lost.append)
    versions = state.versions("TRUE")
    found = {
        version.name: (
            version.status, version.archive.manifest, version.archive.first_group, version.archive.groups,
            version.archive.rows,
        )
        for version in versions
    }  # fmt: skip
    head = state.head().number
    state.close()
    return found, head, lost


def salvaged(root: Path) -> Folded:
    """The same, by the reader that was written from FORMAT.md."""
    lake = salvage.FolderLake(root)
    lake.open()
    return {
        name: (version.state, *(version.record[key] for key in ("manifest", "first_group", "groups", "rows")))
        for name, version in lake.versions.items()
    }


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.integers(0, 2), CHANGES)
def test_all_readers_take_the_same_of_odd_entries(at: int, changes: list[Change]) -> None:
    odd = mutated(WHOLE[at], changes, keep=("number", "previous", "format"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        written(root, [*WHOLE[:at], odd, *WHOLE[at + 1 :]])
        ours, head, lost = folded(root)
        assert (head, lost) == (3, []), "an entry that is proved always folds"
        assert ours == salvaged(root)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(CHANGES)
def test_no_entry_stops_those_behind_it(changes: list[Change]) -> None:
    odd = mutated(WHOLE[1], changes)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        written(root, [WHOLE[0], odd, WHOLE[2]])
        ours, head, _ = folded(root)
        assert head == 3
        assert ours == salvaged(root)
        assert {"a@1", "a@2", "a@3"} <= ours.keys()
