"""`compare`: spectra beside one another, and one's own standards."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.destinations import STDOUT
from sxeslake.cli.documents import COMPARE, COMPARED, document
from sxeslake.cli.options import OUT, PATH, LakeCommand
from sxeslake.cli.words import clock, shown, table

if TYPE_CHECKING:
    from sxeslake.archive.spectra.comparison import Comparison, Normalisation
    from sxeslake.lake import Lake


@click.command(
    "compare",
    cls=LakeCommand,
    example="sxeslake compare ti-grains@2:5 --standards\n"
    "sxeslake compare ti-grains@2:5 --standards --lines N -o overlay.png\n"
    "sxeslake compare test:1 test:7 'standards:3' --type spectrum",
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
@click.option(*OUT, "out", metavar="FILE", type=PATH, help="Draw the spectra, too: .png, .svg or .pdf.")
@click.option("--lines", "elements", multiple=True, metavar="N,O", help="With -o: mark the X-ray lines of elements.")
@click.option("--range", "within", metavar="A..B", help="With -o: only this part of the energy axis: 380..410eV.")
@click.option("--force", is_flag=True, help="Replace a file.")
@pass_app
def command(
    app: App,
    target: str,
    others: tuple[str, ...],
    standards: bool,
    data_type: Literal["qlw", "spectrum"],
    normalise: Normalisation,
    out: str | None,
    elements: tuple[str, ...],
    within: str | None,
    force: bool,
) -> None:
    """Rank spectra by how alike they are to one: Pearson's correlation over all channels.

    A position is SAMPLE:NUMBER, counted through all analyses of its archive. Standards are what is annotated with
    role=standard, `sxeslake annotate SAMPLE role=standard material=Si3N4`, and has the same grating, spectrometer and
    accelerating voltage. Archives as a whole are compared by `diff`.
    """
    if not others and not standards:
        raise click.UsageError("name another position, SAMPLE:POSITION, or give --standards.")
    if out is None and (elements or within is not None):
        raise click.UsageError("--lines and --range are of a picture: -o FILE.")
    if out == STDOUT:
        raise click.UsageError("stdout has the table; write the picture into a file.")
    kind = None if out is None else _prepared(out, force=force)
    with app.open_lake() as lake:
        found = lake.compare(target, *others, standards=standards, data_type=data_type, normalise=normalise)
        if kind is not None:
            _draw(app, lake, found, kind, {"out": out, "force": force, "elements": elements, "within": within})
    for warning in found.spectra.warnings:
        app.complain(warning)
    if app.as_json:
        app.emit(_document(found) | ({} if out is None else {"path": out, "format": kind}))
        return
    heads = ("spectrum", "material", "similarity", "days", "kV", "nA", "grating", "acquired", "comment")
    for line in table(heads, [_cells(found, number) for number in range(len(found) + 1)]):
        app.print(line)
    if out is not None:
        app.print(f"drawn      {shown(out)}")


def _prepared(out: str, *, force: bool) -> str | None:
    """The format of the picture, once nothing stands in its way."""
    from sxeslake.cli.commands.plot import picture_format  # noqa: PLC0415  (start-up time of --help)
    from sxeslake.disk.output import check_file  # noqa: PLC0415  (as above)
    from sxeslake.extras import load  # noqa: PLC0415  (as above)

    kind = picture_format(out, None, show=False)
    check_file(Path(out), force=force)
    load("matplotlib", "plot", "a picture")
    return kind


def _draw(app: App, lake: Lake, found: Comparison, kind: str, look: dict[str, Any]) -> None:
    from sxeslake.cli.commands.plot import axis_range, write_picture  # noqa: PLC0415  (start-up time of --help)
    from sxeslake.plotting import compose_comparison  # noqa: PLC0415  (as above)

    within = look["within"]
    picture = compose_comparison(
        lake, found, lines=look["elements"],
        within=None if within is None else axis_range(within, "--range", "energy"),
    )  # fmt: skip
    for warning in picture.warnings:
        app.complain(f"warning    {shown(warning)}")
    write_picture(picture, kind, None, look | {"dpi": None, "title": None, "show": False})


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
