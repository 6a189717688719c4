"""`_QLW` directories of JEOL's soft X-ray spectrometer: small ones, and those that an archive was converted from."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

ROWS, COLUMNS = 3, 9
CND = (
    "$SEM_DATA_VERSION 0\r\n$XM_CP_COMMENT {comment}\r\n$XM_DATA_SAVE_DATE 2018/04/12 14:13:09\r\n"
    "$XM_AP_ACM_STAGE_POS%0_0 2.5 -1 10.764\r\n$XM_AP_ACM_STAGE_TILT%0_0 1 0\r\n$XM_EC_ACCEL_VOLT 5.0\r\n"
    "$XM_DATA_PROBE_CURRENT 1.009e-007\r\n$XM_WDS_SCAN_START_POS%0 10\r\n$XM_WDS_STEP_SIZE%0 0.5\r\n"
    "$XM_WDS_DWELL_TIME%0 300000\r\n$XM_AP_MAGNIFICATION%0 20000\r\n"
)
MAP = "$XM_CP_PROJECT_NAME steel\r\n$XM_ANALYSIS_INSTRUMENT JXA\r\n$XM_AP_SA_PROBE_DIAMETER%0 1\r\n"
MRC = (
    "[map_raw_condition]\r\nversion=1\r\nspec_type=XES300N\r\ncrystal_name=JS300N\r\nfitting_order=2\r\n"
    "fitting_coef_0=-9.5\r\nfitting_coef_1=7.8\r\nbeam_num_x=320\r\n[element_map_condition]\r\nmodel_name=JXA\r\n"
    "temperature_start=-70\r\n[ccd_parameter]\r\nccd_name=C1\r\nbinning_mode=1\r\naccum_num=10\r\ngain=0\r\n"
    "ccd_size_x=2048\r\nccd_size_y=2048\r\nbinning_param_x=1\r\nbinning_param_y=128\r\n"
)


def xes(rows: int = ROWS, columns: int = COLUMNS) -> bytes:
    head = bytearray(892)
    struct.pack_into("<I", head, 876, rows)
    struct.pack_into("<I", head, 884, columns)
    frame = bytes(range(1, 1 + 4 * ROWS * COLUMNS))
    dark = struct.pack("<3I", 0, columns, 0) + frame[::-1] + b"\0\0\0\0\1\0\0\0\0\0\1\0"
    return bytes(head) + frame + struct.pack("<IHI", 0, 1, rows) + dark + b"\0\0"


def qlw() -> bytes:
    return struct.pack("<8I", 1, 0, 0, 8, 0, 0, 0, 0) + struct.pack("<4096d", *range(4096))


def acquisition(root: Path, positions: int = 2) -> Path:
    folder = root / "steel_0001_QLW"
    folder.mkdir(parents=True)
    (folder / "MAP.cnd").write_text(MAP, newline="")
    (folder / "MapRawCond.mrc").write_text(MRC, newline="")
    for number in range(1, positions + 1):
        spot = folder / f"Pos_{number:04d}"
        spot.mkdir()
        (spot / "data001.cnd").write_bytes(CND.format(comment=f"試料 {number}").encode("cp932"))
        (spot / "data001.qlw").write_bytes(qlw())
        (spot / "1.xes").write_bytes(xes())
    return folder


def lines(fields: Mapping[str, object]) -> bytes:
    return "".join(f"${key} {value}\r\n" for key, value in fields.items()).encode()


def raw_directory(folder: Path, members: Mapping[str, bytes], uuids: list[str]) -> None:
    """The directory that an instrument would have written for these positions of an archive."""
    background = next(data for path, data in members.items() if path.startswith("backgrounds/"))
    condition = json.loads(next(data for path, data in members.items() if path.startswith("conditions/")))
    ccd = condition["ccd"]
    for number, uuid in enumerate(uuids, 1):
        spot = folder / f"Pos_{number:04d}"
        spot.mkdir(parents=True)
        state = json.loads(members[f"data/{uuid}/state.json"])
        stage, probe = state["stage"], state["probe"]
        head = bytearray(892)
        struct.pack_into("<I", head, 876, 17)
        struct.pack_into("<I", head, 884, 2049)
        image = members[f"data/{uuid}/xes.data"] + struct.pack("<IHI", 0, 1, 17) + background + b"\0\0"
        (spot / "1.xes").write_bytes(bytes(head) + image)
        (spot / "data001.qlw").write_bytes(
            struct.pack("<8Id", 1, 0, 0, 8, 0, 0, 0, 0, 0.0) + members[f"data/{uuid}/qlw.data"]
        )
        current = probe["current"]
        fields = {
            "XM_DATA_SAVE_DATE": state["saveDate"],
            "XM_AP_ACM_STAGE_POS%0_0": f"{stage['x']} {stage['y']} {stage['z']}",
            "XM_AP_ACM_STAGE_TILT%0_0": "1 0",
            "XM_AP_ACM_STAGE_ROT%0_0": "1 0",
            "XM_EC_ACCEL_VOLT": probe["acceleratingVoltage"],
            "XM_EC_TARGET_PROBE_CURRENT": current["target"],
            "XM_DATA_PROBE_CURRENT_PRE": current["pre"],
            "XM_DATA_PROBE_CURRENT": current["average"],
            "XM_DATA_PROBE_CURRENT_POST": current["post"],
        }
        (spot / "data001.cnd").write_bytes(lines(fields))
    (folder / "MAP.cnd").write_bytes(lines({"XM_CP_PROJECT_NAME": "synthetic"}))
    rows = [
        "[map_raw_condition]", "version=1", f"spec_type={ccd['spectrometer']}", f"crystal_name={ccd['grating']}",
        "fitting_order=4", *(f"fitting_coef_{i}={v}" for i, v in enumerate(condition["calibrationCoefficients"])),
        "beam_num_x=320", "beam_num_y=240", "beam_mag=20000", "beam_rotation=0", "[element_map_condition]",
        f"model_name={ccd['model']}", "temperature_start=-70", "temperature_end=-70", "[ccd_parameter]",
        f"ccd_name={ccd['name']}", "binning_mode=1", f"accum_num={ccd['accumulation']}", "gain=0", "img_rotation=180",
        "img_orientation=1", "ccd_size_x=2048", "ccd_size_y=2048", "binning_param_x=1", "binning_param_y=128",
        "target_temperature=-70",
    ]  # fmt: skip
    (folder / "MapRawCond.mrc").write_text("\r\n".join(rows), newline="")
