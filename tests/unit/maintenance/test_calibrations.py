"""The calibrations of a lake: kept in its log, folded, copied, and left alone by what frees space."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.entries import chain
from support.internals import vault_of
from support.odd_entries import plain, seal
from support.small_lakes import group, new_lake, new_vault, zip_of

from sxeslake.archive.sxes.axes import Calibration
from sxeslake.errors import NotFoundError, UsageError
from sxeslake.format import calibration as written
from sxeslake.format import logentry
from sxeslake.lake import Lake
from sxeslake.maintenance import calibrations
from sxeslake.storage import open_store
from sxeslake.vault.log.state import LogState
from sxeslake.vault.vault import Vault

OWN = Calibration("qlw", "JS300N", "angstrom", "N K", coefficients=(14.976, 0.0325))
TABLE = Calibration(
    "qlw", "JS 2000/x", "ev", "notebook", table=((0, 400.0), (4094, 80.0)), instrument="JXA", spectrometer="S",
    valid_from=date(2026, 4, 1), valid_until=date(2026, 5, 1), uncertainty=0.5,
)  # fmt: skip


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return str(tmp_path / "lake")


def made(url: str) -> Lake:
    Path(url).mkdir()
    return Lake(new_vault(open_store(url)))


@pytest.mark.parametrize("each", [OWN, TABLE])
def test_a_calibration_comes_back_from_the_log_as_it_was(each: Calibration) -> None:
    values = written.plain(each)
    assert written.load(values, "x") == replace(each, id="x")
    assert written.load({**values, "later": 1}) == each
    name = written.id_of(values)
    assert written.is_id(name)
    assert name == written.id_of(written.plain(replace(each, id="other")))
    assert name != written.id_of(written.plain(replace(each, source="another")))


@pytest.mark.parametrize(
    "change",
    [
        {"source": None}, {"grating": 5}, {"unit": "nm"}, {"coefficients": [1]}, {"coefficients": [1, True]},
        {"coefficients": [1, "2"]}, {"coefficients": {}}, {"coefficients": []}, {"table": [[1, 2], [2, 3]]},
        {"valid_from": "20260401"}, {"valid_from": "2026-13-01"}, {"valid_from": 5}, {"uncertainty": -1},
        {"valid_from": "2026-04-02", "valid_until": "2026-04-01"}, {"instrument": 5},
    ],
)  # fmt: skip
def test_an_item_that_is_none_is_void_and_the_rest_counts(tmp_path: Path, change: dict[str, Any]) -> None:
    good = {"id": "good-1", "calibration": written.plain(OWN)}
    (record,) = chain({"calibrations": (good,)})
    values = plain(record.entry)
    values["calibrations"].insert(0, {"id": "bad-1", "calibration": {**written.plain(OWN), **change}})
    data = seal(values)
    entry = logentry.load(data, where="test")
    if change != {"coefficients": {}}:
        assert [void.what for void in entry.void] == ["calibrations[0]"]
    state = LogState(tmp_path / "state.sqlite")
    state.apply([record._replace(entry=entry, data=data, digest=logentry.digest_of(data, where="test"))])
    assert list(state.calibrations()) == ["good-1"]
    assert bool(state.void())
    state.close()


def test_an_entry_without_any_is_as_it_was() -> None:
    (record,) = chain({})
    assert b"calibrations" not in record.data


def test_a_long_entry_keeps_them_in_its_body(monkeypatch: pytest.MonkeyPatch) -> None:
    items = tuple({"id": f"g-{number}", "calibration": written.plain(OWN)} for number in range(30))
    monkeypatch.setattr(logentry, "MAX_ENTRY_BYTES", 1000)
    (record,) = chain({"calibrations": items})
    assert record.body is not None
    assert logentry.load(record.data, record.body, where="test").calibrations == items


def test_the_last_item_of_an_id_counts_and_is_the_newest(tmp_path: Path) -> None:
    state = LogState(tmp_path / "state.sqlite")
    one, other = written.plain(OWN), written.plain(replace(OWN, source="other"))
    state.apply(
        chain(
            {"calibrations": ({"id": "a", "calibration": one}, {"id": "b", "calibration": one})},
            {"calibrations": ({"id": "a", "calibration": other}, {"id": "none"})},
        )
    )
    assert state.void() == {}
    assert list(state.calibrations().items()) == [("b", one), ("a", other)]
    state.close()


def test_adding_twice_commits_once_and_removing_keeps_the_history(store_url: str) -> None:
    with made(store_url) as lake:
        name = lake.add_calibration(OWN, message="new")
        assert lake.add_calibration(OWN) == name
        assert lake.add_calibration(replace(OWN, coefficients=(14.976, 0.0326))) != name
        assert lake.calibrations()[0].id == name
        lake.remove_calibration(name)
        with pytest.raises(NotFoundError):
            lake.remove_calibration(name)
        assert name not in {each.id for each in lake.calibrations()}
        assert [row.what[0].split()[-1] for row in lake.log()] == ["removed", "added", "added"]
        assert lake.add_calibration(OWN) == name
        assert lake.calibrations()[-1] == replace(OWN, id=name)
        assert lake.verify(data=True).problems == []


def test_an_id_that_another_one_has_gets_longer(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrations, "_HASH_DIGITS", (0, 6))
    with made(store_url) as lake:
        first = lake.add_calibration(OWN)
        second = lake.add_calibration(replace(OWN, source="other"))
        assert (first, len(second)) == ("js300n-", len("js300n-123456"))


@pytest.mark.parametrize(
    "each",
    [
        replace(OWN, coefficients=(10.0, -0.01)), replace(OWN, coefficients=(10.0, 0.01, -0.000002)),
        replace(OWN, grating=" "), replace(OWN, source="\ud800"), replace(OWN, instrument="x" * 3000),
    ],
)  # fmt: skip
def test_what_is_of_no_use_is_refused(store_url: str, each: Calibration) -> None:
    with made(store_url) as lake:
        with pytest.raises(UsageError):
            lake.add_calibration(each)
        assert lake.calibrations() == []


def test_they_go_with_a_whole_lake_and_only_then(store_url: str, tmp_path: Path) -> None:
    with (
        made(store_url) as lake,
        new_lake(open_store(f"memory://{tmp_path.name}-target")) as target,
        new_lake(open_store(f"memory://{tmp_path.name}-part")) as part,
    ):
        lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
        lake.add_calibration(OWN)
        lake.add_calibration(TABLE)
        assert lake.copy_to(target, dry_run=True).calibrations == 2
        assert lake.copy_to(target).calibrations == 2
        assert target.calibrations() == lake.calibrations()
        assert lake.copy_to(target).commits == []
        lake.copy_to(part, ["a"])
        assert part.calibrations() == []


def test_what_frees_space_and_fresh_readers_leave_them(store_url: str, tmp_path: Path) -> None:
    with made(store_url) as lake:
        lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
        lake.add_calibration(OWN)
        there = lake.calibrations()
        lake.forget("a")
        lake.gc(grace="0")
        lake.checkpoint()
        assert lake.repair().problems == 0
        assert lake.calibrations() == there
    with Lake(Vault(open_store(store_url), None)) as fresh:
        assert fresh.calibrations() == there


def test_two_clients_that_add_at_once_both_do(store_url: str) -> None:
    with made(store_url) as one, Lake(Vault(open_store(store_url), None)) as other:
        assert one.calibrations() == other.calibrations() == []
        beaten = vault_of(other).commit

        def late(build: Any) -> Any:
            one.add_calibration(OWN)
            return beaten(build)

        vault_of(other).commit = late  # type: ignore[method-assign]
        other.add_calibration(TABLE)
        one.refresh()
        assert {each.grating for each in one.calibrations()} == {OWN.grating, TABLE.grating}
        assert one.calibrations() == other.calibrations()


def test_the_axes_of_the_lake_are_theirs(store_url: str, tmp_path: Path) -> None:
    from sxeslake.archive import synthetic_facility  # noqa: PLC0415 - only here

    synthetic_facility(tmp_path / "facility", nx=2, ny=2)
    with made(store_url) as lake:
        lake.ingest(tmp_path / "facility", exact="never")
        name = lake.add_calibration(OWN)
        axis = lake["2019/chalcopyrite map@1"].positions[0].axis("wavelength")
        assert name in axis.source
        assert np.allclose(axis.values, OWN.values(4095))
        found = lake.spectra("qlw", "2019/chalcopyrite map@1").axis("wavelength")
        assert name in found.source
