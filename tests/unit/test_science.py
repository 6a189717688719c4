"""Spectra across archives: the lake's verbs agree with the archives they were made from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sxeslake.archive import open_group, synthetic_facility
from sxeslake.errors import NotFoundError, SampleNotFoundError, UsageError
from sxeslake.lake import Lake, init


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return synthetic_facility(tmp_path_factory.mktemp("facility"), nx=4, ny=3)


@pytest.fixture(scope="module")
def lake(facility: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with init(str(tmp_path_factory.mktemp("lake"))) as opened:
        opened.ingest(facility[0].parents[1], exact="never")
        yield opened


def test_spectra_of_a_version_are_those_of_its_file(lake: Lake, facility: list[Path]) -> None:
    path = next(path for path in facility if path.stem == "steel carbide")
    found = lake.spectra("qlw", "2020/steel carbide")
    with open_group(path) as group:
        expected = np.concatenate([analysis.spectra("qlw").values for analysis in group.analyses])
    assert np.array_equal(found.values, expected)
    assert {row.archive for row in found.rows} == {"2020/steel carbide@1"}
    assert found.rows[0].name.endswith(":1")


def test_filters_choose_across_archives(lake: Lake) -> None:
    found = lake.roi(10, 20, unit="channel", kv=5)
    assert {row.accelerating_voltage_kv for row in found.rows} == {5.0}
    assert len({row.sample for row in lake.roi(10, 20, unit="channel").rows}) > 1
    narrowed = lake.roi(10, 20, unit="channel", kv=5, where="position_number <= 2")
    assert {row.position_number for row in narrowed.rows} == {1, 2}


def test_each_measurement_counts_once(lake: Lake) -> None:
    once, every = lake.spectra("qlw", kv=5), lake.spectra("qlw", kv=5, copies=True)
    assert len(once) < len(every)
    assert {row.position_uuid for row in once.rows} == {row.position_uuid for row in every.rows}


def test_positions_are_numbered_through_an_archive(lake: Lake) -> None:
    rows = list(lake.measured("2020/steel carbide"))
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert [row.name for row in lake.measured("2020/steel carbide", positions="2..3")] == [
        "2020/steel carbide@1:2",
        "2020/steel carbide@1:3",
    ]
    in_group = [row.number for analysis in lake["2020/steel carbide"].analyses for row in analysis.spectra().rows]
    assert in_group == list(range(1, len(rows) + 1))


def test_a_region_of_a_lake_is_that_of_its_groups(lake: Lake) -> None:
    ref = "2019/chalcopyrite map@1"
    by_lake = lake.roi(390, 400, ref, analysis=1)
    by_group = lake[ref].analyses[0].roi(390, 400)
    assert np.array_equal(by_lake.values, by_group.values)
    assert by_lake.map().values.shape == (3, 4)
    assert np.array_equal(by_lake.map().values, by_group.map().values)


def test_several_settings_have_no_common_axis(lake: Lake) -> None:
    found = lake.spectra("qlw")
    assert len({row.grating for row in found.rows}) > 1
    with pytest.raises(UsageError, match="no wavelength or energy axis"):
        found.axis("energy")
    assert found.axis("channel").values.size == found.values.shape[1]
    region = lake.roi(390, 400)
    assert {row.grating for row in region.rows} == {"JS300N"}
    assert "left out" in region.warnings[0]


def test_what_is_not_there_is_said(lake: Lake) -> None:
    with pytest.raises(SampleNotFoundError):
        lake.spectra("qlw", "nothing")
    with pytest.raises(NotFoundError, match="no analysis is called"):
        lake.spectra("qlw", "2020/steel carbide", analysis="nothing")
    with pytest.raises(NotFoundError, match=r"77 .*leaves none of"):
        lake.spectra("qlw", kv=77)
    with pytest.raises(NotFoundError, match="no sum2 data"):
        lake.spectra("sum2", "2020/steel carbide")
    with pytest.raises(UsageError):
        lake.spectra("qlw", kvv=5)  # type: ignore[call-arg]
