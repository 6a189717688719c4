"""X-ray lines: the table is xraydb's, marks join what coincides, orders and bands follow from physics."""

from __future__ import annotations

import subprocess
import sys

import pytest
import xraydb

from sxeslake import lines
from sxeslake.archive.sxes.documents.units import HC_EV_ANGSTROM
from sxeslake.errors import UsageError


def test_the_table_is_that_of_xraydb() -> None:
    there = {
        (symbol, name): (line.energy, line.initial_level, line.final_level, line.intensity)
        for number in range(1, 99)
        for symbol in [xraydb.atomic_symbol(number)]
        for name, line in xraydb.xray_lines(symbol).items()
        if line.energy < lines.HIGHEST_EV
    }
    ours = lines.lines()
    assert len(ours) == len(there) == 439
    ascii_name = str.maketrans("αβγηζ", "abgnz")
    for line in ours:
        energy, initial, final, intensity = there[line.element, line.name.translate(ascii_name)]
        assert (line.energy_ev, line.initial, line.final) == (energy, initial, final)
        assert line.intensity == pytest.approx(intensity, rel=1e-3)
        assert line.number == xraydb.atomic_number(line.element)


def test_marks_join_what_coincides_and_leave_out_what_is_not_seen() -> None:
    (mark,) = lines.marks("n")
    assert (mark.label, round(mark.energy_ev, 3)) == ("N Kα", 392.4)
    names = [mark.name for mark in lines.marks("Fe L")]
    assert names == ["Ll", "Lη", "Lα", "Lβ1", "Lβ3,4"]
    assert [mark.name for mark in lines.marks("Li")] == ["Kα"]  # a shell's only transition counts
    assert len(lines.lines("N")) == 3


@pytest.mark.parametrize("order", range(1, 21))
def test_an_order_stands_at_a_fraction_of_the_energy(order: int) -> None:
    (mark,) = lines.marks("O", orders=[order])
    assert mark.observed_ev == pytest.approx(524.9 / order)
    assert mark.observed_angstrom == pytest.approx(order * HC_EV_ANGSTROM / 524.9)
    low, high = mark.band_ev(0.21)
    assert low < mark.observed_ev < high
    assert high - low > mark.band_ev()[1] - mark.band_ev()[0]


def test_the_band_of_n_k_is_that_of_the_axis() -> None:
    """0.21 Å are 2.6 eV at N K (`archive/sxes/arrays`)."""
    (mark,) = lines.marks("N")
    low, high = mark.band_ev(0.21)
    assert (high - low) / 2 == pytest.approx((2.5**2 + 2.61**2) ** 0.5, abs=0.01)


def test_near_finds_second_orders_first_by_distance() -> None:
    found = lines.near(196.0)
    assert found[0].label == "N Kα (order 2)"
    distances = [abs(mark.observed_ev - 196.0) for mark in found]
    assert distances == sorted(distances)
    assert all(low <= 196.0 <= high for low, high in (mark.band_ev() for mark in found))
    assert lines.near(396, "N") == []
    assert [mark.label for mark in lines.near(396, "N", axis_uncertainty_angstrom=0.21)] == ["N Kα"]
    assert [mark.label for mark in lines.near(396, "N", tolerance_ev=5)] == ["N Kα"]


def test_a_range_keeps_what_stands_in_it() -> None:
    found = lines.marks(orders=(1, 2, 3), range_ev=(200, 100))
    assert found
    assert all(100 <= mark.observed_ev <= 200 for mark in found)


@pytest.mark.parametrize(
    ("words", "told"),
    [(["Qq"], "no X-ray line"), (["N M"], "N has no line M"), (["H"], "no X-ray line"), ([""], "no X-ray line")],
)
def test_what_is_unknown_is_said(words: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        lines.marks(*words)


@pytest.mark.parametrize("orders", [[], [0], [-1, 1], [21]])
def test_orders_have_limits(orders: list[int]) -> None:
    with pytest.raises(UsageError, match="orders of diffraction"):
        lines.marks("N", orders=orders)


@pytest.mark.parametrize("energy_ev", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_energy_is_refused(energy_ev: float) -> None:
    with pytest.raises(UsageError, match="not an energy"):
        lines.near(energy_ev)


def test_elements_are_listed_by_number() -> None:
    assert lines.ELEMENTS[:5] == ("Li", "Be", "B", "C", "N")
    with pytest.raises(AttributeError, match="ELEMENT"):
        _ = lines.ELEMENT


def test_importing_it_loads_no_library() -> None:
    program = "import sys, sxeslake.lines; sys.exit(bool({'numpy', 'xraydb', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
