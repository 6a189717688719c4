"""The synthetic facility: the same from the same seed, as hard to compress as reality, and overlapping as asked."""

from __future__ import annotations

import zlib
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from pcodec import ChunkConfig, standalone

from sxeslake.archive import open_group, synthetic_facility, synthetic_map
from sxeslake.archive.sxes import arrays
from sxeslake.archive.synthetic import BeamSetting


def as_dict(*args: int, **options: object) -> dict[str, bytes]:
    return {member.path: data for member, data in synthetic_map(*args, **options)}  # type: ignore[arg-type]


def test_a_seed_decides_every_byte() -> None:
    assert as_dict(7, 2, 2) == as_dict(7, 2, 2)
    assert not as_dict(7, 2, 2).keys() & as_dict(8, 2, 2).keys() - {"metadata.json"} - shared_paths()


def shared_paths() -> set[str]:
    return {path for path in as_dict(1, 1, 1) if path.startswith(("conditions/", "rawConditions/"))}


def test_members_come_in_path_order_with_their_sizes() -> None:
    pairs = list(synthetic_map(1, 4, 2))
    assert len(pairs) == 4 + 8 * 5
    assert [member.path for member, _ in pairs] == sorted(member.path for member, _ in pairs)
    assert all(member.size == len(data) and member.modified_ns for member, data in pairs)
    sizes = {member.path.rpartition("/")[2]: member.size for member, _ in pairs if member.path.startswith("data/")}
    assert (sizes["xes.data"], sizes["qlw.data"], sizes["sum.data"]) == (139_332, 32_760, 2_048)


def test_a_large_map_streams() -> None:
    assert len(list(islice(synthetic_map(1, 250, 400), 12))) == 12


def test_a_subset_is_the_same_bytes() -> None:
    whole, part = as_dict(3, 3, 3), as_dict(3, 3, 3, keep=4)
    assert len(part) == 4 + 4 * 5
    assert {path: whole[path] for path in part if path != "metadata.json"} == {
        path: data for path, data in part.items() if path != "metadata.json"
    }


def test_noise_compresses_as_real_noise_does() -> None:
    sizes = {"pco xes": 0, "deflate xes": 0, "pco qlw": 0, "deflate qlw": 0}
    for path, data in as_dict(11, 3, 2).items():
        for kind, dtype in (("xes", "<u4"), ("qlw", "<f8")):
            if path.endswith(f"{kind}.data"):
                values = np.frombuffer(data, dtype)
                sizes[f"pco {kind}"] += len(standalone.simple_compress(values, ChunkConfig(compression_level=8)))
                sizes[f"deflate {kind}"] += len(zlib.compress(data, 6))
    raw = {"xes": 6 * 139_332, "qlw": 6 * 32_760}
    share = {what: size / raw[what[-3:]] for what, size in sizes.items()}
    assert share == {
        "pco xes": pytest.approx(0.319, abs=0.02),
        "deflate xes": pytest.approx(0.52, abs=0.03),
        "pco qlw": pytest.approx(0.313, abs=0.02),
        "deflate qlw": pytest.approx(0.484, abs=0.02),
    }


def test_the_last_row_and_column_hold_about_one_frame() -> None:
    contents = as_dict(2, 1, 1)
    xes = arrays.xes_array(next(data for path, data in contents.items() if path.endswith("xes.data")))
    frame = arrays.background_array(next(data for path, data in contents.items() if path.startswith("backgrounds/")))
    assert 10_500 < arrays.signal(xes).mean() < 30_000
    assert 1_000 < xes[-1].mean() < 3_000
    assert 1_000 < xes[:, -1].mean() < 3_000
    assert 1_100 < frame.mean() < 1_200


def test_the_facility_overlaps(tmp_path: Path) -> None:
    paths = synthetic_facility(tmp_path, 5, nx=3, ny=2)
    assert len(paths) == 7
    seen: dict[str, set[str]] = {}
    comments, settings = {}, set()
    for path in paths:
        with open_group(path) as group:
            assert group.check() == ()
            seen[path.name] = {position.uuid for position in group.positions}
            comments[path.name] = group.analyses[0].comment
            state = group.positions[0].state
            settings.add((state.accelerating_voltage_kv, round(state.probe_current_na or 0, 1)))
    whole = seen["chalcopyrite map.plzip"]
    assert len(whole) == 6
    assert seen["map copy 2.plzip"] == seen["chalcopyrite map.pl7z"] == seen["chalcopyrite recommented.plzip"] == whole
    assert seen["chalcopyrite subset.plzip"] < whole
    assert not seen["steel carbide.plzip"] & whole
    assert comments["chalcopyrite recommented.plzip"] != comments["chalcopyrite map.plzip"]
    assert {voltage for voltage, _ in settings} == {5.0, 10.0, 15.0}


def test_the_facility_is_the_same_from_the_same_seed(tmp_path: Path) -> None:
    first, second = (synthetic_facility(tmp_path / name, 5, nx=2, ny=1) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_setting_is_what_the_state_says() -> None:
    contents = as_dict(1, 1, 1, setting=BeamSetting(15.0, 20.0, "XES2000", "JS2000"))
    state = next(data for path, data in contents.items() if path.endswith("state.json"))
    condition = next(data for path, data in contents.items() if path.startswith("conditions/"))
    assert b'"acceleratingVoltage":"15.0"' in state
    assert b'"target":"2.00e-008"' in state
    assert b'"grating":"JS2000"' in condition
