"""Spectra beside one another: ranked by likeness, normalised; standards by annotation and condition."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sxeslake.archive import synthetic_facility
from sxeslake.archive.spectra import pictures
from sxeslake.archive.spectra.choice import place_of
from sxeslake.archive.spectra.comparison import compare, normalised
from sxeslake.archive.spectra.spectra import Spectra
from sxeslake.cli.run import run
from sxeslake.errors import InputError, NotFoundError, UsageError
from sxeslake.lake import Lake, init

MAP = "2019/chalcopyrite map"
OTHER = "2019/chalcopyrite recommented"
STEEL = "2020/steel carbide"


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    folder = synthetic_facility(tmp_path / "in", nx=3, ny=2)[0].parents[1]
    with init(str(tmp_path / "lake")) as opened:
        opened.ingest(folder, exact="never")
        yield opened


def small(values: list[list[float]], lake: Lake) -> Spectra:
    rows = list(lake.measured(MAP))[: len(values)]
    return Spectra("qlw", np.array(values), rows, [])


def test_the_most_alike_comes_first(lake: Lake) -> None:
    found = compare(small([[1, 2, 3, 4], [4, 3, 2, 1], [11, 12, 13, 14.5], [5, 5, 5, 5]], lake), [None, "a", "b", "c"])
    assert [other.material for other in found.others] == ["b", "a", "c"]
    assert found.others[0].similarity == pytest.approx(np.corrcoef([1, 2, 3, 4], [11, 12, 13, 14.5])[0, 1])
    assert found.others[1].similarity == pytest.approx(-1)
    assert np.isnan(found.others[2].similarity)
    assert found.values.max(axis=1).tolist() == [1, 1, 1, 1]
    assert found.spectra.values[1].tolist() == [11, 12, 13, 14.5]
    assert [line["rank"] for line in found.table()] == [1, 2, 3]


def test_spectra_are_normalised(lake: Lake) -> None:
    spectra = small([[1, 2, 4, 0]], lake)
    current = spectra.rows[0].probe_current_na
    assert current is not None
    assert normalised(spectra, "current")[0].tolist() == pytest.approx([1 / current, 2 / current, 4 / current, 0])
    assert normalised(spectra, "none").tolist() == [[1, 2, 4, 0]]
    assert normalised(small([[0, 0, 0]], lake), "max").tolist() == [[0, 0, 0]]
    with pytest.raises(UsageError, match="not a way to normalise"):
        normalised(spectra, "area")


def test_standards_are_those_of_like_conditions(lake: Lake) -> None:
    with pytest.raises(NotFoundError, match="no standard has its conditions"):
        lake.compare(f"{MAP}@1:1", standards=True)
    lake.annotate(STEEL, {"role": "standard", "material": "steel"})  # at another voltage
    with pytest.raises(NotFoundError):
        lake.compare(f"{MAP}@1:1", standards=True)
    row = next(iter(lake.measured(f"{MAP}@1", positions=2)))
    lake.annotate(MAP, {"role": "Standard", "material": "CuFeS2"}, position=row.position_uuid)
    found = lake.compare(f"{MAP}@1:1", standards=True)
    assert [(other.row.number, other.material) for other in found.others] == [(2, "CuFeS2")]
    with pytest.raises(NotFoundError):  # it is not its own standard, nor is a copy of it
        lake.compare(f"{MAP}@1:2", standards=True)


def test_positions_are_named_by_number_or_uuid(lake: Lake) -> None:
    row = next(iter(lake.measured(MAP, positions=3)))
    found = lake.compare(f"{MAP}:1", f"{MAP}:{row.position_uuid[:8]}")
    assert found.others[0].row.number == 3
    with pytest.raises(NotFoundError, match="no position 99"):
        lake.compare(f"{MAP}:99", f"{MAP}:1")
    for text in ("map", ":5", "map:", ""):
        with pytest.raises(UsageError, match="names no position"):
            place_of(text)


def test_a_spectrum_that_cannot_be_read_is_no_target(lake: Lake) -> None:
    with pytest.raises(NotFoundError, match="no other data"):
        lake.compare(f"{MAP}:1", f"{MAP}:2", data_type="other")


def test_without_a_current_it_says_so(lake: Lake) -> None:
    spectra = small([[1, 2]], lake)
    object.__setattr__(spectra.rows[0], "probe_current_na", None)
    with pytest.raises(InputError, match=r"probe current of .* is unknown"):
        normalised(spectra, "current")


def test_the_command_prints_a_table(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--lake", lake.url, "compare", f"{MAP}@1:1", f"{MAP}@1:2", f"{STEEL}:1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    places = [out.index(name) for name in (f"{MAP}@1:1", f"{MAP}@1:2", f"{STEEL}@1:1")]
    assert places == sorted(places)
    assert out.count("similarity") in (1, 2)  # a heading, or in each record of a narrow window
    assert run(["--lake", lake.url, "compare", f"{MAP}@1:1"]) == 2
    assert "--standards" in capsys.readouterr().err


def test_what_is_compared_is_drawn(lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake.annotate(OTHER, {"role": "standard", "material": "CuFeS2"})
    figure = lake.plot.compare(f"{MAP}@1:1", f"{MAP}@1:2", lines="N")
    (legend,), (axes,) = figure.legends, figure.axes
    first, second = (text.get_text() for text in legend.get_texts())
    assert first.startswith(f"{MAP}@1:1")
    assert "r = " not in first
    assert second.startswith(f"{MAP}@1:2")
    assert "r = 0." in second
    assert axes.get_ylabel() == "counts / maximum"
    assert "N Kα" in [text.get_text() for text in axes.texts]
    out = tmp_path / "overlay.png"
    words = ["--lake", lake.url, "compare", f"{STEEL}:1", f"{STEEL}:2", "-o", str(out), "--range", "380..410eV"]
    assert run(words) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    told = capsys.readouterr().out
    assert "similarity" in told
    assert "drawn " in told
    assert run(words) == 7
    assert run([*words, "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(out)


def test_more_than_a_picture_holds_is_said(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_CURVES", 2)
    with pytest.warns(UserWarning, match="not drawn: 1 of 2 spectra"):
        figure = lake.plot.compare(f"{MAP}:1", f"{MAP}:2", f"{MAP}:3")
    assert len(figure.axes[0].lines) == 2


@pytest.mark.parametrize("words", [["--lines", "N"], ["-o", "-"], ["-o", "a.gif"]])
def test_a_picture_that_cannot_be_is_refused(lake: Lake, words: list[str]) -> None:
    assert run(["--lake", lake.url, "compare", f"{MAP}:1", f"{MAP}:2", *words]) == 2
