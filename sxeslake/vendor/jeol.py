"""What conditions of JEOL microprobes with a PC say (`$XM_…` keys), in the form of the archive."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .records import AnalysisRecord, Json
from .texts import Fields
from .values import common, state_of, stated, wds_condition

FIELD_MM = 120.0
"""Width of the field of a JEOL column at magnification 1."""


def analysis_of(name: str, conditions: Collection[Fields]) -> AnalysisRecord:
    """An analysis with project, comment, operator, instrument and date, where its conditions agree."""
    dates = [date for keys in conditions if (date := keys.text("XM_ANALYSIS_ACQ_DATE"))]
    operators = (keys.text("XM_CP_OPERATOR") or keys.text("XM_ANALYSIS_ACQ_OPERATOR") for keys in conditions)
    return AnalysisRecord(
        name=name,
        project=common(keys.text("XM_CP_PROJECT_NAME") for keys in conditions),
        comment=common(keys.text("XM_CP_COMMENT") for keys in conditions),
        operator=common(operators),
        instrument=common(keys.text("XM_ANALYSIS_INSTRUMENT") for keys in conditions),
        acquisition_date=min(dates, default=""),
    )


def xm_state(
    keys: Fields,
    *,
    stage: Iterable[float | None] = (),
    magnification: str | None = None,
    diameter: str | None = None,
    dwell_time: str | None = None,
) -> Json:
    """The state that a condition gives."""
    return state_of(
        saved=keys.text("XM_DATA_SAVE_DATE") or keys.text("XM_ANALYSIS_ACQ_DATE"),
        stage=stage,
        kilovolts=keys.get("XM_EC_ACCEL_VOLT"),
        current=keys.get("XM_DATA_PROBE_CURRENT"),
        current_pre=keys.get("XM_DATA_PROBE_CURRENT_PRE"),
        current_post=keys.get("XM_DATA_PROBE_CURRENT_POST"),
        current_target=keys.get("XM_EC_TARGET_PROBE_CURRENT"),
        magnification=magnification,
        diameter=diameter,
        dwell_time=dwell_time,
    )


def element_of(keys: Fields, index: int = 0) -> Json:
    """Element, line, spectrometer (from 1; the key counts from 0), crystal and peak of an element of a condition."""
    channel = keys.whole_number(f"XM_ELEM_WDS_CHANNEL_NO%{index}")
    peak = keys.number(f"XM_ELEM_WDS_PEAK%{index}")
    found: Json = {
        "element": keys.text(f"XM_ELEM_NAME%{index}"),
        "line": keys.text(f"XM_ELEM_WDS_XRAY%{index}"),
        "order": keys.whole_number(f"XM_ELEM_WDS_ORDER%{index}"),
        "spectrometer": None if channel is None else channel + 1,
        "crystal": keys.text(f"XM_ELEM_WDS_CRYSTAL_NAME%{index}"),
        "peak": None if peak is None else {"value": peak, "unit": "mm"},
    }
    return stated(found)


def element_condition(keys: Fields, index: int = 0) -> Json:
    """The condition of an element that a spectrometer counts; {} where none does."""
    channel = element_of(keys, index)
    if "spectrometer" not in channel:
        return {}
    settings = ("HV", "GAIN", "MODE", "BASE", "WINDOW")
    return wds_condition(channel, {key.lower(): keys.text(f"XM_ELEM_WDS_PHA_{key}%{index}") for key in settings})
