"""`compare`: spectra beside one another, and one's own standards."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import COMPARE, COMPARED, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import clock, shown, table

if TYPE_CHECKING:
    from sxeslake.archive.spectra.comparison import Comparison, Normalisation


@click.command(
    "compare",
    cls=LakeCommand,
    example="sxeslake compare ti-grains@2:5 --standards\nsxeslake compare test:1 test:7 'standards:3' --type spectrum",
)
@click.argument("target", metavar="SAMPLE:POSITION", shell_complete=suggest.sample)
@click.argument("others", nargs=-1, metavar="[OTHER:POSITION]...", shell_complete=suggest.sample)
@click.option("--standards", is_flag=True, help="Compare with all standards taken under the same conditions.")
@click.option(
    "--type", "data_type", type=click.Choice(["qlw", "spectrum"]), default="qlw", show_default=True,
    help="Which spectra: the vendor's, or the column sum of the camera image.",
)  # fmt: skip
@click.option(
    "--normalise", type=click.Choice(["max", "current", "none"]), default="max", show_default=True,
    help="Divide by the maximum, by the probe current, or not at all.",
)  # fmt: skip
@pass_app
def command(
    app: App,
    target: str,
    others: tuple[str, ...],
    standards: bool,
    data_type: Literal["qlw", "spectrum"],
    normalise: Normalisation,
) -> None:
    """Rank spectra by how alike they are to one: Pearson's correlation over all channels.

    A position is SAMPLE:NUMBER, counted through all analyses of its archive. Standards are what is annotated with
    role=standard, `sxeslake annotate SAMPLE role=standard material=Si3N4`, and has the same grating, spectrometer and
    accelerating voltage. Archives as a whole are compared by `diff`.
    """
    if not others and not standards:
        raise click.UsageError("name another position, SAMPLE:POSITION, or give --standards.")
    with app.open_lake() as lake:
        found = lake.compare(target, *others, standards=standards, data_type=data_type, normalise=normalise)
    for warning in found.spectra.warnings:
        app.complain(warning)
    if app.as_json:
        app.emit(_document(found))
        return
    heads = ("spectrum", "material", "similarity", "days", "kV", "nA", "grating", "acquired", "comment")
    for line in table(heads, [_cells(found, number) for number in range(len(found) + 1)]):
        app.print(line)


def _cells(found: Comparison, number: int) -> tuple[str, ...]:
    """A line of the table; number 0 is the spectrum that the others are compared with."""
    row = found.spectra.rows[number]
    other = found.others[number - 1] if number else None
    return (
        shown(row.name),
        shown(other.material or "") if other else "",
        f"{other.similarity:.4f}" if other and not math.isnan(other.similarity) else "",
        f"{other.days:+.1f}" if other and other.days is not None else "",
        "" if row.accelerating_voltage_kv is None else f"{row.accelerating_voltage_kv:g}",
        "" if row.probe_current_na is None else f"{row.probe_current_na:.4g}",
        shown(row.grating or ""),
        "" if row.acquired_local is None else clock(row.acquired_local),
        shown(row.comment or ""),
    )


def _document(found: Comparison) -> dict[str, object]:
    rows = []
    for line in found.table():
        line["similarity"] = None if math.isnan(line["similarity"]) else line["similarity"]
        rows.append(document(line, COMPARED))
    return document(
        {
            "target": found.target.name,
            "sample": found.target.sample,
            "version": found.target.version,
            "position_uuid": found.target.position_uuid,
            "data_type": found.spectra.data_type,
            "normalise": found.normalise,
            "warnings": found.spectra.warnings,
            "others": rows,
        },
        COMPARE,
    )
