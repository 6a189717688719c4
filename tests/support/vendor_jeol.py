"""Conditions and maps of a JEOL microprobe with a PC, as it would write them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from support.vendor_files import keyed_lines

STAGE_SCAN = {
    "XM_AP_TYPE%0": "1",
    "XM_AP_COMMENT%0": "rim",
    "XM_AP_SA_PIXELS%0": "40 30",
    "XM_AP_SA_PIXEL_SIZE%0": "0.50 0.50 50.00",
    "XM_AP_SA_DWELL_TIME%0": "5.0",
    "XM_AP_SA_PROBE_DIAMETER%0": "1",
    "XM_AP_SA_STAGE_POS%0_0": "16.5100 19.9075 11.0400",
    "XM_AP_SA_STAGE_POS%0_1": "16.5200 19.9000 11.0500",
    "XM_AP_SA_STAGE_POS%0_2": "16.5000 19.9000 11.0300",
    "XM_AP_SA_STAGE_POS%0_3": "16.5000 19.9150 11.0300",
    "XM_AP_SA_STAGE_POS%0_4": "16.5200 19.9150 11.0500",
}
BEAM_SCAN = {
    "XM_AP_TYPE%0": "2",
    "XM_AP_BSA_PIXELS%0": "40 30",
    "XM_AP_BSA_MAGNIFICATION%0": "1000",
    "XM_AP_BSA_DWELL_TIME%0": "10.0",
    "XM_AP_BSA_STAGE_POS%0": "16.5100 19.9075 11.0400",
    "XM_AP_BSA_BEAM_START_POS%0": "0 0",
    "XM_AP_BSA_BEAM_END_POS%0": "4096 3072",
}


def condition_keys(
    element: str, values: np.ndarray, scan: Mapping[str, str], *, channel: str = "2", **changes: str
) -> dict[str, str]:
    """The keys of a condition of one element."""
    return {
        "SEM_DATA_VERSION": "1",
        "XM_DATA_COUNT_MAX": f"{values.max():.6f}",
        "XM_DATA_COUNT_MIN": f"{values.min():.6f}",
        "XM_DATA_COUNT_AVE": f"{values.mean():.3f}",
        "XM_DATA_PROBE_CURRENT": "1.201e-008",
        "XM_DATA_PROBE_CURRENT_PRE": "1.203e-008",
        "XM_DATA_PROBE_CURRENT_POST": "1.200e-008",
        "XM_DATA_SAVE_DATE": "2015/03/31 22:46:53",
        "XM_ANALYSIS_ACQ_OPERATOR": "User",
        "XM_ANALYSIS_ACQ_DATE": "2015/03/31 22:46:53",
        "XM_ANALYSIS_INSTRUMENT": "JXA8530",
        "XM_CP_PROJECT_NAME": "2015-03-31",
        "XM_CP_COMMENT": "inclusion",
        "XM_CP_OPERATOR": "",
        "XM_EC_ACCEL_VOLT": "15.0",
        "XM_EC_TARGET_PROBE_CURRENT": "1.20e-008",
        "XM_ELEM_NUMBER_OF_DATA": "1",
        "XM_ELEM_COND_TYPE%0": "0",
        "XM_ELEM_NAME%0": element,
        "XM_ELEM_WDS_CHANNEL_NO%0": channel,
        "XM_ELEM_WDS_CRYSTAL_NAME%0": "PETH",
        "XM_ELEM_WDS_XRAY%0": "Ka",
        "XM_ELEM_WDS_ORDER%0": "1",
        "XM_ELEM_WDS_PEAK%0": "87.784",
        "XM_ELEM_WDS_PHA_HV%0": "1618",
        "XM_ELEM_WDS_PHA_MODE%0": "Int",
        **scan,
        **changes,
    }


def condition(element: str, values: np.ndarray, scan: Mapping[str, str] = STAGE_SCAN, **changes: str) -> bytes:
    """A `.cnd` of one element."""
    return keyed_lines(condition_keys(element, values, scan, **changes))


def map_file(values: np.ndarray, *, by_rows: bool = False) -> bytes:
    """A `.map`: a header and doubles, column by column as a stage scan has them."""
    header = np.array([1, 0, 0, 8, 0, 0, 0, 0], "<u4").tobytes()
    return header + (values if by_rows else values.T).astype("<f8").tobytes()


def counts(rows: int = 30, columns: int = 40) -> np.ndarray:
    """Of a smooth sample, by rows and columns of its picture."""
    y, x = np.mgrid[:rows, :columns]
    values: np.ndarray = np.floor(100 + 90 * np.sin(x / 9) * np.cos(y / 7))
    return values
