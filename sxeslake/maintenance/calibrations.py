"""The calibrations of a lake: one commit adds or takes back some, decided again at every head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sxeslake.errors import NotFoundError, UsageError
from sxeslake.format import calibration as written
from sxeslake.format.logentry import Entry
from sxeslake.text.html import HtmlRecord
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head, LogState
from sxeslake.vault.vault import Vault

if TYPE_CHECKING:
    from sxeslake.archive.sxes.axes import Calibration

_HASH_DIGITS = (6, 12, 64)  # as many as tell it from another calibration that has the shorter id
_MAX_TEXT_CHARS = 2_000
_MAX_NUMBERS = 10_000  # of a table or polynomial: an entry stays well below its limit


@dataclass(frozen=True, slots=True)
class CalibrationReport(HtmlRecord):
    """What was changed: ids that were `added`, were `present` already, were `removed`; no commit where nothing was.

    Attributes
    ----------
    commit : int or None
        The commit; None where nothing was changed.
    added : list of str
        Ids that were added.
    present : list of str
        Ids that were there already.
    removed : list of str
        Ids that were removed.
    dry_run : bool
        Whether nothing was changed.

    Examples
    --------
    >>> found = sxeslake.Calibration("qlw", "JS300N", "ev", "Ti Lα, 2019-03", (100.0, 0.05))
    >>> len(lake.change_calibrations([found], dry_run=True).added)
    1
    """

    commit: int | None
    added: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    dry_run: bool = False


def known(state: LogState) -> tuple[Calibration, ...]:
    """The calibrations of a folded log, the newest last."""
    return tuple(written.load(values, name) for name, values in state.calibrations().items())


def channels_of(data_type: str) -> int | None:
    """How many channels a spectrum of a type has; None where that is not known."""
    from sxeslake.archive.sxes import arrays, axes  # noqa: PLC0415 - numpy: start-up time

    return {"qlw": arrays.QLW_CHANNELS, axes.SPECTRUM: arrays.XES_COLUMNS - 1}.get(data_type)


def change(
    vault: Vault,
    add: Sequence[Calibration] = (),
    remove: Sequence[str] = (),
    *,
    dry_run: bool = False,
    tool: str,
    message: str | None = None,
) -> CalibrationReport:
    """Add calibrations and take others back, in one commit. NotFoundError for an id that is not there."""
    for calibration in add:
        _check(calibration)
    vault.sync()
    work = _Changing(vault, [written.plain(each) for each in add], list(dict.fromkeys(remove)), tool, message)
    if dry_run:
        work.build(vault.state.head())
        return replace(work.report, dry_run=True)
    record = vault.commit(work.build)
    return replace(work.report, commit=None if record is None else record.entry.number)


class _Changing:
    """One entry with changes of calibrations."""

    def __init__(
        self, vault: Vault, add: Sequence[dict[str, Any]], remove: Sequence[str], tool: str, message: str | None
    ) -> None:
        self._state, self._add, self._remove = vault.state, add, remove
        self._blank = blank_entry(tool, message)
        self.report = CalibrationReport(None)

    def build(self, head: Head) -> Entry | None:
        """The entry behind a head; None where nothing changes."""
        self.report = CalibrationReport(None)
        there = self._state.calibrations()
        items: list[dict[str, Any]] = []
        for name in self._remove:
            if name not in there:
                raise NotFoundError(
                    f"there is no calibration {name!r}.", hint="`sxeslake calibration list` names those that are there."
                )
            del there[name]
            items.append({"id": name})
            self.report.removed.append(name)
        for values in self._add:
            names = (written.id_of(values, digits) for digits in _HASH_DIGITS)
            name = next(name for name in names if there.get(name, values) == values)
            if name in there:
                self.report.present.append(name)
                continue
            there[name] = values
            items.append({"id": name, "calibration": values})
            self.report.added.append(name)
        if not items:
            return None
        return replace(self._blank, number=head.number + 1, previous=head.digest, calibrations=tuple(items))


def _check(calibration: Calibration) -> None:
    """Refuse what would be of no use: an axis that is not positive or turns round, blank names."""
    for key in ("data_type", "grating", "source", "instrument", "spectrometer"):
        text = getattr(calibration, key)
        if text is not None and not (text.strip() and len(text) <= _MAX_TEXT_CHARS):
            raise UsageError(f"the {key} of a calibration is blank, or longer than {_MAX_TEXT_CHARS:,} characters.")
        try:
            (text or "").encode()
        except UnicodeEncodeError:
            raise UsageError(f"the {key} of a calibration is not valid text.") from None
    if len(calibration.coefficients) + len(calibration.table) > _MAX_NUMBERS:
        raise UsageError(f"a calibration has at most {_MAX_NUMBERS:,} rows.")
    channels = channels_of(calibration.data_type)
    if channels is None:
        return
    steps = calibration.wavelengths_angstrom(channels)
    rises, falls = steps[1:] > steps[:-1], steps[1:] < steps[:-1]
    if not (rises.all() or falls.all()):
        raise UsageError(f"the axis of this calibration turns round within its {channels:,} channels.")
