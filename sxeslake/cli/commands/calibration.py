"""`calibration`: the wavelength and energy axes that a lake knows beside the built-in one."""

from __future__ import annotations

import csv
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import CALIBRATION, CALIBRATION_CHANGED, CALIBRATION_SHOWN, document
from sxeslake.cli.options import DRY_RUN, PATH, LakeCommand, LakeGroup
from sxeslake.cli.words import shown, table

if TYPE_CHECKING:
    from sxeslake.archive.sxes.axes import Calibration
    from sxeslake.maintenance.calibrations import CalibrationReport

# What is heavy is imported by the functions that need it: `--help` must not wait.

BUILT_IN = "built-in"
_UNITS = {"angstrom": "Å", "ev": "eV"}
_ADD = (
    'sxeslake calibration add --grating JS300N --source "N K, Ti L of TiN" \\\n'
    '  --coefficients "14.976,0.032455" --uncertainty 0.05\n'
    "sxeslake calibration add --grating JS2000 --table js2000.csv --unit ev \\\n"
    '  --spectrometer XES2000N --from 2026-04-01 --source "notebook 12"'
)


@click.group(
    "calibration",
    cls=LakeGroup,
    no_args_is_help=False,  # `Missing command`, with exit code 2, says it in one line
    example='sxeslake calibration add --grating JS300N --source "N K, Ti L of TiN" \\\n'
    '  --coefficients "14.976,0.032455"\nsxeslake calibration list\nsxeslake calibration remove js300n-1f3a9c',
)
def command() -> None:
    """Register axes of spectra: for a grating, a spectrometer, an instrument, some time.

    A spectrum has the most specific calibration that fits; of several the one that is valid from the latest day, then
    the one added last. Without one, qlw and spectra of XES300N with JS300N have the built-in fit; others channels.
    """


@command.command("add", cls=LakeCommand, example=_ADD)
@click.option("--grating", metavar="NAME", required=True, help="The grating that it is for.")
@click.option("--spectrometer", metavar="NAME", help="Only for this spectrometer.")
@click.option("--instrument", metavar="NAME", help="Only for this instrument.")
@click.option("--type", "data_type", metavar="TYPE", default="qlw", show_default=True, help="qlw or spectrum.")
@click.option("--from", "valid_from", metavar="DATE", help="First day of acquisition that it is for: 2026-04-01.")
@click.option("--until", "valid_until", metavar="DATE", help="Last day of acquisition that it is for.")
@click.option("--coefficients", metavar="A,B,…", help="Polynomial in the channel number from 0, constant first.")
@click.option(
    "--table", "table_file", metavar="FILE", type=PATH, help="A csv of channel,value; a heading may be there."
)
@click.option("--unit", type=click.Choice(list(_UNITS)), default="angstrom", show_default=True, help="Of the axis.")
@click.option("--source", metavar="TEXT", required=True, help="The source: a measurement, a paper.")
@click.option("--uncertainty", metavar="NUMBER", type=float, help="Of the axis, in its unit.")
@click.option("-m", "--message", metavar="TEXT", help="Why, for the log.")
@click.option(*DRY_RUN, is_flag=True, help="Only tell what would be added.")
@pass_app
def add(
    app: App,
    /,
    valid_from: str | None,
    valid_until: str | None,
    coefficients: str | None,
    table_file: str | None,
    message: str | None,
    dry_run: bool,
    **fields: Any,
) -> None:
    """Register a calibration. Its id is made from its content: the same one twice is one."""
    from sxeslake.archive.sxes.axes import Calibration  # noqa: PLC0415

    if (coefficients is None) == (table_file is None):
        raise click.UsageError("give --coefficients or --table, one of them.")
    calibration = Calibration(
        **fields,
        coefficients=() if coefficients is None else _numbers(coefficients),
        table=() if table_file is None else _table(table_file),
        valid_from=_day(valid_from, "--from"),
        valid_until=_day(valid_until, "--until"),
    )
    with app.open_lake() as lake:
        done = lake.change_calibrations([calibration], dry_run=dry_run, message=message)
    _tell(app, done)


@command.command(
    "list",
    cls=LakeCommand,
    short_help="List calibrations, the built-in one first.",
    example="sxeslake calibration list",
)
@pass_app
def list_(app: App) -> None:
    """List the calibrations, the built-in one first, then in the order in which they were added."""
    with app.open_lake() as lake:
        found = lake.calibrations()
    rows = [_built_in(), *map(_described, found)]
    if app.as_json:
        app.emit([{key: row[key] for key in CALIBRATION} for row in rows])
        return
    headings = ("id", "grating", "spectrometer", "instrument", "type", "axis", "valid", "source")
    cells = [
        (row["id"], row["grating"], row["spectrometer"], row["instrument"], row["data_type"], _range(row), _valid(row),
         row["source"])
        for row in rows
    ]  # fmt: skip
    for line in table(headings, [[shown(cell or "") for cell in row] for row in cells]):
        app.print(line)


@command.command(
    "show",
    cls=LakeCommand,
    short_help="Show a calibration with its axis.",
    example="sxeslake calibration show js300n-1f3a9c",
)
@click.argument("name", metavar="ID", shell_complete=suggest.calibration)
@pass_app
def show(app: App, name: str) -> None:
    """Show a calibration: what it is for, its axis, and the coefficients or the table. ID may be built-in."""
    from sxeslake.errors import NotFoundError  # noqa: PLC0415

    if name == BUILT_IN:
        row = _built_in()
    else:
        with app.open_lake() as lake:
            found = {each.id: each for each in lake.calibrations()}
        if name not in found:
            raise NotFoundError(
                f"there is no calibration {name!r}.", hint="`sxeslake calibration list` names those that are there."
            )
        row = _described(found[name])
    if app.as_json:
        app.emit({key: row[key] for key in CALIBRATION_SHOWN})
        return
    unit = _UNITS[row["unit"]]
    facts = [(key.replace("_", " "), row[key]) for key in ("id", "grating", "spectrometer", "instrument")]
    facts += [("type", row["data_type"]), ("valid", _valid(row)), ("source", row["source"])]
    facts += [("uncertainty", None if row["uncertainty"] is None else f"{row['uncertainty']:g} {unit}")]
    facts += [("channels", row["channels"]), ("axis", _range(row))]
    facts += [("middle", None if row["middle"] is None else f"{row['middle']:.6g} {unit}")]
    facts += [("coefficients", ", ".join(f"{number!r}" for number in row["coefficients"]))]
    for line in table(("", ""), [(key, shown(value)) for key, value in facts if value not in (None, "")]):
        if line.strip():
            app.print(line)
    if row["table"]:
        app.print()
        for line in table(("channel", unit), [(f"{channel:g}", f"{value!r}") for channel, value in row["table"]]):
            app.print(line)


@command.command("remove", cls=LakeCommand, example="sxeslake calibration remove js300n-1f3a9c")
@click.argument("names", metavar="ID...", nargs=-1, required=True, shell_complete=suggest.calibration)
@click.option("-m", "--message", metavar="TEXT", help="Why, for the log.")
@click.option(*DRY_RUN, is_flag=True, help="Only tell what would be removed.")
@pass_app
def remove(app: App, names: tuple[str, ...], message: str | None, dry_run: bool) -> None:
    """Take calibrations back. What they were stays in the log."""
    with app.open_lake() as lake:
        done = lake.change_calibrations(remove=names, dry_run=dry_run, message=message)
    _tell(app, done)


def _tell(app: App, done: CalibrationReport) -> None:
    if app.as_json:
        app.emit(document(done, CALIBRATION_CHANGED))
        return
    for word, names in (("added", done.added), ("removed", done.removed)):
        for name in names:
            app.print(f"{'would be ' if done.dry_run else ''}{word}   {name}")
    for name in done.present:
        app.print(f"already there   {name}")


def _described(calibration: Calibration) -> dict[str, Any]:
    """A calibration as JSON has it; the axis at both ends and in the middle where the channels are known."""
    from sxeslake.maintenance.calibrations import channels_of  # noqa: PLC0415

    channels = channels_of(calibration.data_type)
    ends = None if channels is None else calibration.values(channels)
    first, middle, last = (None,) * 3 if ends is None else (float(ends[at]) for at in (0, len(ends) // 2, -1))
    return {
        "id": calibration.id, "grating": calibration.grating, "spectrometer": calibration.spectrometer,
        "instrument": calibration.instrument, "data_type": calibration.data_type, "unit": calibration.unit,
        "first": first, "last": last, "valid_from": _iso(calibration.valid_from),
        "valid_until": _iso(calibration.valid_until), "source": calibration.source,
        "uncertainty": calibration.uncertainty, "derived": False, "channels": channels, "middle": middle,
        "coefficients": list(calibration.coefficients), "table": [list(pair) for pair in calibration.table],
    }  # fmt: skip


def _built_in() -> dict[str, Any]:
    from sxeslake.archive.sxes import arrays  # noqa: PLC0415
    from sxeslake.archive.sxes.axes import Calibration  # noqa: PLC0415

    spectrometer, grating = arrays.DERIVED_AXIS_SETTING
    residual = arrays.DERIVED_AXIS_RESIDUAL_ANGSTROM
    axis = arrays.derived_axis_angstrom(spectrometer, grating)
    step = round(float(axis[1] - axis[0]), 9)
    made = Calibration(
        "qlw", grating, "angstrom", f"derived, residual {residual} Å", (float(axis[0]), step),
        spectrometer=spectrometer, uncertainty=residual, id=BUILT_IN,
    )  # fmt: skip
    return _described(made) | {"derived": True}


def _range(row: dict[str, Any]) -> str:
    if row["first"] is None:
        return ""
    low, high = sorted((row["first"], row["last"]))
    return f"{low:.5g}..{high:.5g} {_UNITS[row['unit']]}"


def _valid(row: dict[str, Any]) -> str:
    if row["valid_from"] is None and row["valid_until"] is None:
        return "always"
    return f"{row['valid_from'] or ''}..{row['valid_until'] or ''}"


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _day(text: str | None, option: str) -> date | None:
    try:
        return None if text is None else datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise click.UsageError(f"{option}: {text!r} is not a day; write 2026-04-01.") from None


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.UsageError(f"--coefficients: {text!r} is not a list of numbers; write 14.976,0.032455.") from None


def _table(path: str) -> tuple[tuple[float, float], ...]:
    """The rows of a csv of channel and value; a first row that is no numbers is its heading."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = [(file_line, row) for file_line, row in enumerate(csv.reader(file), 1) if any(map(str.strip, row))]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise click.UsageError(f"--table {path}: {error}") from error
    found: list[tuple[float, float]] = []
    for place, (line, row) in enumerate(rows):
        try:
            channel, value = map(float, row)
        except ValueError:
            if place == 0:
                continue
            raise click.UsageError(f"--table {path}, line {line}: write channel,value.") from None
        found.append((channel, value))
    if not found:
        raise click.UsageError(f"--table {path}: there are no rows of channel,value in it.")
    return tuple(found)
