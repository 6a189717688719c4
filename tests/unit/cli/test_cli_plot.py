"""`plot`: files, text in the width of the window, and the annotations of bad input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from sxeslake.archive import open_group, synthetic_facility
from sxeslake.archive.spectra import plots, terminal
from sxeslake.archive.sxes import arrays
from sxeslake.cli.run import run
from sxeslake.plotting import FileArchives, compose_map, compose_spectrum, compose_stage

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    paths = synthetic_facility(tmp_path_factory.mktemp("facility"), nx=4, ny=3)
    return str(next(path for path in paths if path.name == "chalcopyrite map.plzip"))


@pytest.mark.parametrize("words", [("spectrum", "--position", "1,4..5", "--lines", "N,O"), ("stage",),
                                   ("map", "--roi", "390..400eV"), ("ccd", "--position", "2")])  # fmt: skip
def test_pictures_are_written_once_and_the_same(
    archive: str, tmp_path: Path, capsys: Capture, words: tuple[str, ...]
) -> None:
    kind, *rest = words
    for suffix in ("png", "svg", "pdf"):
        one, two = tmp_path / f"one.{suffix}", tmp_path / f"two.{suffix}"
        assert run(["plot", kind, archive, *rest, "-o", str(one), "--dpi", "60"]) == 0
        assert run(["plot", kind, archive, *rest, "-o", str(two), "--dpi", "60"]) == 0
        assert one.read_bytes() == two.read_bytes()
        assert run(["plot", kind, archive, *rest, "-o", str(one)]) == 7
    capsys.readouterr()
    assert run(["plot", kind, archive, *rest, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["picture"] == kind


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["spectrum", "--position", "99"], 3, "There are 12"),
        (["spectrum", "--position", "1", "--range", "1..2eV"], 2, "The axis runs from"),
        (["spectrum", "--position", "1", "--background"], 2, "--type spectrum"),
        (["map", "--roi", "nonsense"], 2, "390..400eV"),
        (["stage", "-o", "a.gif"], 2, ".png"),
    ],
)
def test_bad_input_says_what_to_do(archive: str, capsys: Capture, words: list[str], code: int, told: str) -> None:
    assert run(["plot", words[0], archive, *words[1:]]) == code
    assert told in capsys.readouterr().err


def test_a_missing_extra_is_named_with_its_install_line(
    archive: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run(["plot", "stage", archive, "-o", str(tmp_path / "a.png")]) == 2
    assert 'pip install "sxeslake[plot]"' in capsys.readouterr().err
    assert run(["plot", "stage", archive]) == 0


def test_figures_have_labels_units_and_a_scale_bar(archive: str) -> None:
    files = FileArchives()
    axes = plots.draw(compose_spectrum(files, archive, "1,2", lines="N")).axes[0]
    assert (axes.get_xlabel(), len(axes.lines)) == ("energy (eV)", 2)
    assert axes.get_ylabel().startswith("counts")
    assert "N Kα" in [text.get_text() for text in axes.texts]
    figure = plots.draw(compose_map(files, archive, (390, 400)))
    assert any(text.get_text().endswith(" µm") for text in figure.axes[0].texts)
    files.close()


def test_no_text_covers_another_or_leaves_the_picture(archive: str) -> None:
    files = FileArchives()
    for positions in ("1", "1,2", "1..9"):
        figure = plots.draw(compose_spectrum(files, archive, positions, lines="N"), size_cm=(16, 10))
        figure.draw_without_rendering()
        box, axes = figure.legends[0].get_window_extent(), figure.axes[0].get_tightbbox()
        assert axes is not None
        assert figure.legends[0].get_title().get_text().startswith("axis: ")
        assert len(figure.texts) == 1  # the title
        assert box.y0 >= 0
        assert box.y1 <= axes.y0
    figure = plots.draw(compose_stage(files, archive))
    figure.draw_without_rendering()
    frame = figure.axes[0].get_window_extent()
    assert all(frame.x0 < text.get_window_extent().x0 for text in figure.axes[0].texts)
    assert all(text.get_window_extent().x1 < frame.x1 for text in figure.axes[0].texts)
    files.close()


def test_a_colour_bar_is_as_high_as_its_map(archive: str) -> None:
    files = FileArchives()
    figure = plots.draw(compose_map(files, archive, (390, 400)))
    figure.draw_without_rendering()
    image, bar = (axes.get_window_extent().height for axes in figure.axes)
    assert bar == pytest.approx(image, rel=0.01)
    files.close()


@pytest.mark.parametrize("columns", [30, 80])
def test_text_fits_the_window(archive: str, columns: int) -> None:
    files = FileArchives()
    for picture in (compose_spectrum(files, archive, "1,2"), compose_map(files, archive, (390, 400))):
        for blocks in (True, False):
            lines = terminal.text(picture, terminal.Screen(columns, 24, blocks))
            assert max(map(len, lines)) <= columns
            assert blocks or all(line.isascii() for line in lines)
    files.close()


def test_the_data_tell_whether_the_background_is_subtracted(archive: str) -> None:
    with open_group(archive) as group:
        position = group.positions[0]
        assert position.qlw_background_subtracted is True
        position.set_array("qlw", arrays.qlw_from_xes(position.signal))
        assert position.qlw_background_subtracted is False
        position.remove_type("xes")
        assert position.qlw_background_subtracted is None
