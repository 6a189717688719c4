"""`lines`: X-ray lines of elements, or what may stand at an energy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import LINES
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import table
from sxeslake.errors import LakeNotFoundError, UsageError

if TYPE_CHECKING:
    from sxeslake.archive.sxes.axes import Calibration
    from sxeslake.lines import Mark

_FAMILY = re.compile(r"[KLMklm](?:[abgzlnαβγζη]\d*)?")
_NEAR_ORDERS = "1..4"


@click.command(
    "lines",
    cls=LakeCommand,
    example="sxeslake lines N K --order 1..4\nsxeslake lines N,O,Fe\nsxeslake lines --near 396eV --grating JS300N",
)
@click.argument("elements", nargs=-1, metavar="[ELEMENT [SHELL]]...")
@click.option("--order", "orders", metavar="N|A..B", help="Orders of diffraction. [default: 1; with --near 1..4]")
@click.option("--near", metavar="ENERGY", help="Lines near this energy of a spectrum, such as 396eV.")
@click.option("--tolerance", metavar="ENERGY", help="With --near: how far from it. [default: the width of the mark]")
@click.option(
    "--grating", metavar="NAME", help="Only the range of this grating's axis; its uncertainty widens the marks."
)
@pass_app
def command(
    app: App,
    elements: tuple[str, ...],
    orders: str | None,
    near: str | None,
    tolerance: str | None,
    grating: str | None,
) -> None:
    """List X-ray lines below 2.5 keV: of elements, of one of their shells, or near an energy.

    A line of order 2 is at half its energy: N Kα, 392.4 eV, near 196 eV. `N K` are the K lines of N; `N,K` are
    nitrogen and potassium. Published energies differ by 1 to 5 eV, so that each mark is a band. Needs no lake,
    but for gratings whose calibration only the lake has.
    """
    from sxeslake import lines  # noqa: PLC0415  (start-up time of --help)
    from sxeslake.catalog.query.quantity import parse_number  # noqa: PLC0415  (as above)

    if tolerance is not None and near is None:
        raise click.UsageError("--tolerance requires --near.")
    wanted = _wanted(elements)
    if not wanted and near is None and grating is None:
        raise click.UsageError("name an element, such as N, or an energy with --near.")
    axis = None if grating is None else _axis(app, grating)
    uncertainty = 0.0 if axis is None else axis.uncertainty
    chosen = orders_of(orders or ("1" if near is None else _NEAR_ORDERS))
    if near is None:
        found = lines.marks(*wanted, orders=chosen, range_ev=None if axis is None else (axis.low, axis.high))
    else:
        energy = parse_number(near, "eV", "--near")
        found = lines.near(
            energy,
            *wanted,
            orders=chosen,
            tolerance_ev=None if tolerance is None else parse_number(tolerance, "eV", "--tolerance"),
            axis_uncertainty_angstrom=uncertainty,
        )
        if axis is not None and not axis.low <= energy <= axis.high:
            app.complain(f"{near} is outside the axis of {grating}, {axis.low:.0f} to {axis.high:.0f} eV.")
    if app.as_json:
        app.emit([_document(mark, uncertainty) for mark in found])
        return
    for line in table(
        ("line", "order", "eV of this order", "Å", "band eV", "line eV", "intensity"), _cells(found, uncertainty)
    ):
        app.print(line)
    if not found:
        app.say("No line below 2.5 keV fits.")
    elif axis is not None:
        app.say(f"axis of {grating}: {axis.source}, {axis.low:.0f} to {axis.high:.0f} eV, {axis.within}")


def _wanted(words: Sequence[str]) -> list[str]:
    """`N K` → ["N K"]; `N,O Fe L` → ["N", "O", "Fe L"]."""
    found: list[str] = []
    joinable = False  # whether the word before is a single element, which a shell may follow
    for word in words:
        parts = [part.strip() for part in word.split(",") if part.strip()]
        if joinable and len(parts) == 1 and _FAMILY.fullmatch(parts[0]):
            found[-1] = f"{found[-1]} {parts[0]}"
            joinable = False
            continue
        found.extend(parts)
        joinable = len(parts) == 1 and " " not in parts[0]
    return found


def orders_of(text: str) -> list[int]:
    """`2`, `1..4` and `1,3`."""
    try:
        found: list[int] = []
        for part in text.split(","):
            low, _, high = part.partition("..")
            found.extend(range(int(low), int(high or low) + 1))
    except ValueError:
        raise click.UsageError(f"{text!r} is not an order of diffraction; write 1, 1..4 or 1,3.") from None
    return found


class _GratingAxis(NamedTuple):
    """The lowest and highest energy of a grating's axis in eV, its uncertainty in Å, and where it is from."""

    low: float
    high: float
    uncertainty_angstrom: float | None
    source: str

    @property
    def uncertainty(self) -> float:
        return self.uncertainty_angstrom or 0.0

    @property
    def within(self) -> str:
        known = self.uncertainty_angstrom
        return "uncertainty not stated" if known is None else f"within {known:.3g} Å"


def _axis(app: App, grating: str) -> _GratingAxis:
    """The axis of a grating: a calibration of the lake, else the built-in fit."""
    from sxeslake.archive.sxes import arrays  # noqa: PLC0415  (start-up time of --help)
    from sxeslake.archive.sxes.axes import Setting, axis_of  # noqa: PLC0415  (as above)

    today = datetime.now(UTC).date()
    spectrometer, known = arrays.DERIVED_AXIS_SETTING
    fitting = [
        each
        for each in _calibrations(app, is_built_in=grating.casefold() == known.casefold())
        if each.data_type == "qlw"
        and each.grating.casefold() == grating.casefold()
        and each.fits(each.spectrometer, each.grating, each.instrument, today)
    ]
    if fitting:
        newest = fitting[-1]
        setting = Setting(newest.spectrometer, newest.grating, newest.instrument, today)
        source = f"calibration {newest.id}"
    elif grating.casefold() == known.casefold():
        setting, source = Setting(spectrometer, known), "derived"
    else:
        raise UsageError(
            f"no axis is known for grating {grating}.",
            hint=f"Known without a lake: {known}. Leave --grating out, or register a calibration: "
            "`sxeslake calibration add --help`.",
        )
    energies = axis_of("energy", arrays.QLW_CHANNELS, "qlw", setting, fitting[-1:])
    return _GratingAxis(
        float(energies.values.min()), float(energies.values.max()), energies.uncertainty_angstrom, source
    )


def _calibrations(app: App, *, is_built_in: bool) -> Sequence[Calibration]:
    """The lake's calibrations; where the built-in fit serves and no lake is named, as this machine remembers them."""
    if is_built_in and app.word is None:
        from sxeslake.cli.completion.suggest import remembered_lake  # noqa: PLC0415  (start-up time of --help)
        from sxeslake.format.calibration import load  # noqa: PLC0415  (as above)

        known = remembered_lake(click.get_current_context())
        return [] if known is None else [load(values, name) for name, values in known.calibrations().items()]
    try:
        with app.open_lake() as lake:
            return lake.calibrations()
    except LakeNotFoundError:
        if app.word is not None:
            raise
        return ()


def _cells(found: Sequence[Mark], uncertainty_angstrom: float) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for mark in found:
        low, high = mark.band_ev(uncertainty_angstrom)
        rows.append(
            (
                f"{mark.element} {mark.name}",
                str(mark.order),
                f"{mark.observed_ev:.1f}",
                f"{mark.observed_angstrom:.2f}",
                f"{low:.1f}..{high:.1f}",
                f"{mark.energy_ev:.1f}",
                f"{mark.intensity:.2g}",
            )
        )
    return rows


def _document(mark: Mark, uncertainty_angstrom: float) -> dict[str, object]:
    low, high = mark.band_ev(uncertainty_angstrom)
    values = (
        mark.element, mark.name, mark.energy_ev, mark.observed_angstrom / mark.order, mark.intensity, mark.order,
        mark.observed_ev, mark.observed_angstrom, low, high,
    )  # fmt: skip
    rounded = (round(value, 4) if isinstance(value, float) else value for value in values)
    return dict(zip(LINES, rounded, strict=True))
