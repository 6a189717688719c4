"""The model of how a lake grows holds for a lake that is made here, and its document says what the script finds."""

from __future__ import annotations

import pytest
from bench import scaling, scaling_model
from bench.document import filled
from bench.scaling_model import FACILITIES, Facility, predict


def test_the_model_holds_for_a_thousand_archives(capsys: pytest.CaptureFixture[str]) -> None:
    assert scaling.main(["--smoke"]) == 0, capsys.readouterr()
    assert "| blob index: bytes | 1,000 |" in capsys.readouterr().out


def test_the_document_has_the_tables_that_the_script_makes() -> None:
    text = scaling.DOCUMENT.read_text(encoding="utf-8")
    assert filled(text, scaling.tables(scaling.known_figures())) == text
    assert "✗" not in text


def test_a_figure_that_is_off_is_noticed() -> None:
    assert scaling.within("log: bytes", 105_000, 100_000)
    assert not scaling.within("log: bytes", 120_000, 100_000)
    assert not scaling.within("packs: bytes", 80_000, 100_000)
    assert scaling.within("memory: `gc`", 50_000, 100_000), "less memory is fine"
    assert not scaling.within("memory: `gc`", 150_000, 100_000)
    assert scaling.within("requests: open, warm", 3, 3)


def test_a_lost_marker_is_said() -> None:
    with pytest.raises(ValueError, match="no place for the table `model`"):
        filled("no markers", {"model": "| |"})


def test_what_grows_and_what_does_not() -> None:
    small, large = (predict(Facility("x", archives, 10, 1)) for archives in (1000, 1_000_000))
    assert large.open_requests == small.open_requests
    assert large.log_bytes == pytest.approx(1000 * small.log_bytes)
    assert large.checkpoint_requests < large.cold_requests / 100
    batched = predict(Facility("x", 1_000_000, 10, 256))
    assert batched.gc_requests < large.gc_requests / 10
    joined = predict(Facility("x", 1_000_000, 10, 1, is_collected=False))
    assert joined.pack_objects > 100 * large.pack_objects
    assert predict(FACILITIES["10⁹ positions in maps of 2,500"]).gc_memory < 4 * scaling_model.GIB


def test_figures_for_people() -> None:
    assert scaling_model.size(3.3e9) == "3.3 GB"
    assert scaling_model.size(5_400e12) == "5,400 TB"
    assert (scaling_model.span(0.09), scaling_model.span(1860), scaling_model.span(20_000)) == (
        "0.09 s",
        "31 min",
        "5.6 h",
    )
    assert (scaling_model.dollars(1234), scaling_model.dollars(0.4), scaling_model.dollars(0.001)) == (
        "$1,234", "$0.40", "< $0.01",
    )  # fmt: skip
