"""How much verify reads: structure, samples, until the time is up, and on from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.small_lakes import flip, group, new_vault, only, own_store, zip_of

from sxeslake.errors import UsageError
from sxeslake.format import keys
from sxeslake.lake import Lake
from sxeslake.maintenance.verify import packs as verify_packs
from sxeslake.storage import Store
from sxeslake.vault.vault import Vault, create_lake


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    return own_store(request)


@pytest.fixture
def lake(store: Store, tmp_path: Path) -> Iterator[Lake]:
    create_lake(store, {})
    lake = Lake(Vault(store, tmp_path / "cache"))
    for seed in range(3):
        lake.ingest(zip_of(tmp_path / f"{seed}.plzip", group(seed, positions=4)))
    with lake:
        yield lake


def test_structure_reads_no_frame(lake: Lake) -> None:
    report = lake.verify()
    assert (report.ok, report.checked.bytes, report.checked.packs) == (True, 0, 6)
    assert (report.checked.log_entries, report.checked.manifests, report.checked.blobs) == (3, 3, 27)


def test_data_reads_every_byte(lake: Lake) -> None:
    assert lake.verify(data=True).checked.bytes == lake.stats().bytes_unique_raw


def test_a_sample_is_the_same_for_the_same_seed(store: Store, tmp_path: Path) -> None:
    with Lake(new_vault(store)) as lake:
        contents = {f"{number}.dat": bytes([number]) * (70_000 + number) for number in range(40)}
        lake.ingest(zip_of(tmp_path / "a.zip", contents))
        read = [lake.verify(sample_percent=10, seed=seed).checked.bytes for seed in (1, 1, 2, 3, 4, 5, 6, 7)]
        assert read[0] == read[1]
        assert len(set(read)) > 1
        assert 3 * 70_000 < read[0] < 6 * 70_100
        report = lake.verify(sample_percent=10)
        assert report.seed is not None
        assert lake.verify(sample_percent=10, seed=report.seed).checked.bytes == report.checked.bytes
        flip(store, only(store, keys.PACK_PREFIX), 2000)
        assert not lake.verify(sample_percent=100).ok


def test_a_run_that_is_cut_short_goes_on_where_it_was(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    clock = iter(range(1000))
    monkeypatch.setattr("sxeslake.maintenance.verify.packs.time.monotonic", lambda: float(next(clock)))
    jobs = verify_packs.PackVerifier._frames_job

    def noted(self, finding, *args, **more):  # type: ignore[no-untyped-def]
        begun.append(finding.record.id)
        return jobs(self, finding, *args, **more)

    monkeypatch.setattr(verify_packs.PackVerifier, "_frames_job", noted)
    first = lake.verify(data=True, max_duration_s=4.0)
    assert (first.complete, first.ok, first.problems) == (False, False, [])
    done = len(begun)
    assert (first.packs_read, first.packs_unread) == (done, 6 - done)
    assert 0 < done < 6
    second = lake.verify(data=True, resume=True)
    assert (second.complete, second.passed_over) == (True, done)
    assert len(begun) == len(set(begun)) == 6
    third = lake.verify(data=True, resume=True)  # a run that ended leaves nothing to go on from
    assert third.passed_over == 0


def test_a_pack_that_was_bad_is_read_again(lake: Lake, store: Store) -> None:
    bad = min(info.key for info in store.list(keys.PACK_PREFIX))
    flip(store, bad, 60)
    assert not lake.verify(data=True, max_duration_s=3600).ok
    assert [problem.object for problem in lake.verify(data=True, resume=True).problems] == [bad]


def test_words_that_do_not_go_together(lake: Lake) -> None:
    for percent in (0, 101, -3):
        with pytest.raises(UsageError, match="percent"):
            lake.verify(sample_percent=percent)
    with pytest.raises(UsageError, match="resume"):
        lake.verify(sample_percent=5, resume=True)


def test_an_entry_that_is_missing_in_the_middle_is_found(lake: Lake, store: Store) -> None:
    store.delete([keys.log_key(2)])
    with Lake(Vault(store, None, tolerant=True)) as cold:
        problems = cold.verify().problems
        assert keys.log_key(2) in [problem.object for problem in problems]
