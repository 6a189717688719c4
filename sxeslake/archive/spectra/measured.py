"""What is known of a measured position beside its spectrum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sxeslake.archive.sxes.axes import Setting
from sxeslake.archive.sxes.documents.fields import read_condition

if TYPE_CHECKING:
    from sxeslake.archive.sxes.group import Group
    from sxeslake.archive.sxes.outline import Analysis
    from sxeslake.archive.sxes.position import Position


@dataclass(frozen=True, slots=True)
class Measured:
    """One position of one archive version; what is unknown is None.

    The names and units are those of the catalogue's table `positions`; `number` counts through all analyses of the
    archive from 1, `position_number` within its own.

    Attributes
    ----------
    sample : str
        The sample's name.
    version : int or None
        Its version's number; None for a file.
    analysis_uuid : str or None
        The analysis.
    analysis_name : str or None
        Its name.
    position_uuid : str
        The position.
    number : int or None
        Its number through all analyses of the archive, from 1.
    position_number : int or None
        Its number within the analysis, from 1.
    comment : str or None
        What people say of it.
    accelerating_voltage_kv : float or None
        Accelerating voltage, in kV.
    probe_current_na : float or None
        Probe current, in nA.
    stage_x_mm : float or None
        Stage x, in mm.
    stage_y_mm : float or None
        Stage y, in mm.
    stage_z_mm : float or None
        Stage z, in mm.
    instrument : str or None
        The instrument.
    spectrometer : str or None
        The spectrometer.
    grating : str or None
        The grating.
    acquired_local : datetime or None
        When it was begun, by the instrument's clock.
    accumulation : int or None
        Summed frames.
    ccd_temperature_c : float or None
        Temperature of the camera, in °C.
    operator : str or None
        Who measured.
    project : str or None
        The project's name.
    magnification : float or None
        Magnification.
    condition_id : str or None
        The condition that it names.
    background_id : str or None
        The background that it names.
    background_corrected : bool or None
        Whether `qlw` is corrected for the background.

    Examples
    --------
    >>> row = next(lake.measured("map"))
    >>> row.name, row.grating, row.accelerating_voltage_kv
    ('map@1:1', 'JS300N', 5.0)
    """

    sample: str
    version: int | None
    analysis_uuid: str | None
    analysis_name: str | None
    position_uuid: str
    number: int | None
    position_number: int | None
    comment: str | None
    accelerating_voltage_kv: float | None
    probe_current_na: float | None
    stage_x_mm: float | None
    stage_y_mm: float | None
    stage_z_mm: float | None
    instrument: str | None
    spectrometer: str | None
    grating: str | None
    acquired_local: datetime | None
    accumulation: int | None
    ccd_temperature_c: float | None
    operator: str | None
    project: str | None
    magnification: float | None
    condition_id: str | None
    background_id: str | None
    background_corrected: bool | None

    @property
    def archive(self) -> str:
        """`ti-grains@2`; a file's own name where it is of no lake."""
        return self.sample if self.version is None else f"{self.sample}@{self.version}"

    @property
    def name(self) -> str:
        """`ti-grains@2:5`, the position's number behind its archive, for messages and legends."""
        return f"{self.archive}:{self.number or self.position_uuid[:8]}"

    @property
    def is_background_subtracted(self) -> bool:
        """Whether `qlw` has its background subtracted, as far as metadata tell: as `info.json` says, else where a
        background is stored. `Position.qlw_background_subtracted` judges by the data, for which it reads `xes`.
        """
        return self.background_id is not None if self.background_corrected is None else self.background_corrected

    @property
    def setting(self) -> Setting:
        """What decides the axes of its spectra."""
        day = None if self.acquired_local is None else self.acquired_local.date()
        return Setting(self.spectrometer, self.grating, self.instrument, day)


COLUMNS = tuple(Measured.__dataclass_fields__)


def of_analysis(analysis: Analysis) -> Iterator[Measured]:
    """The positions of one analysis of a group."""
    before = 0
    for other in analysis.group.analyses:
        if other.uuid == analysis.uuid:
            break
        before += len(other.positions)
    for number, position in enumerate(analysis.positions, 1):
        yield of_position(position, analysis, number, before + number)


def of_group(group: Group) -> Iterator[Measured]:
    """The positions of all analyses of a group."""
    for analysis in group.analyses:
        yield from of_analysis(analysis)


def of_position(
    position: Position, analysis: Analysis | None = None, position_number: int | None = None, number: int | None = None
) -> Measured:
    """One position; what its documents do not tell is None."""
    info, state, condition = position.info, position.state, position.condition
    fields = read_condition(None) if condition is None else condition.fields
    corrected = position.info_document.fields.get("backgroundCorrected")
    return Measured(
        sample=position.group.name,
        version=None,
        analysis_uuid=None if analysis is None else analysis.uuid,
        analysis_name=None if analysis is None else analysis.name or None,
        position_uuid=position.uuid,
        number=number,
        position_number=position_number,
        comment=position.resolved_comment.value or None,
        accelerating_voltage_kv=state.accelerating_voltage_kv,
        probe_current_na=state.probe_current_na,
        stage_x_mm=state.stage_x_mm,
        stage_y_mm=state.stage_y_mm,
        stage_z_mm=state.stage_z_mm,
        instrument=(analysis.instrument if analysis else None) or fields.instrument,
        spectrometer=fields.spectrometer,
        grating=fields.grating,
        acquired_local=state.saved_local,
        accumulation=fields.accumulation,
        ccd_temperature_c=state.ccd_temperature_c,
        operator=position.resolved_operator.value or None,
        project=next((project.name for project in analysis.projects), None) if analysis else None,
        magnification=state.magnification,
        condition_id=info.condition_id,
        background_id=info.background_id,
        background_corrected=corrected if isinstance(corrected, bool) else None,
    )
