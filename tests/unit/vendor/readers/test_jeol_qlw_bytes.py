"""A `_QLW` directory gives the bytes that a converted archive of the same measurement has: nothing is stored twice."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

from sxeslake.archive.sxes.documents.text import dump
from sxeslake.archive.synthetic import synthetic_map
from sxeslake.vendor.readers.jeol_qlw import JeolQlw
from sxeslake.vendor.records import ArrayRecord, Warned
from sxeslake.vendor.tree import FolderTree


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


def test_bytes_are_those_of_a_converted_archive(tmp_path: Path) -> None:
    members = {member.path: data for member, data in synthetic_map(3, 2, 1)}
    uuids = sorted({path.split("/")[1] for path in members if path.startswith("data/")})
    raw_directory(tmp_path / "steel_0001_QLW", members, uuids)
    tree, warned = FolderTree(tmp_path), list[Warned]()
    [finding] = JeolQlw().classify(tree)
    assert set(finding.files) == set(tree.sizes)
    [analysis] = JeolQlw().read(tree, finding, warned.append)

    def stored(array: ArrayRecord | None) -> bytes:
        assert array is not None
        assert array.span is not None
        return tree.read(array.span.path, array.span.offset, array.span.length)

    shared = {path.split("/")[0]: data for path, data in members.items() if not path.startswith("data/")}
    positions = list(analysis.positions())
    assert len(positions) == len(uuids) == 2
    for uuid, position in zip(uuids, positions, strict=True):
        assert {array.name: stored(array) for array in position.arrays} == {
            name: members[f"data/{uuid}/{name}.data"] for name in ("xes", "qlw")
        }
        assert stored(position.background) == shared["backgrounds"]
        assert dump(position.condition) == shared["conditions"]
        assert dump(position.state) == members[f"data/{uuid}/state.json"]
    assert not warned
