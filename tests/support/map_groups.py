"""Groups with maps, described arrays, documents and the vendor's files, of which every part is told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from support.part_lakes import RAW, Session, Spot, contents, dump, uid
from sxeslake.archive.sxes.extensions.array_fields import ArrayAxis, array_json, stored_bytes
from sxeslake.archive.sxes.extensions.map_fields import MapFrame, channel_json, map_json
from sxeslake.archive.sxes.extensions.originals import (
    FilePart,
    OriginalFile,
    OriginalsRecipe,
    read_recipe,
    recipe_json,
    residue_path,
    taken_from,
)

EXTENSIONS: Final = {"maps": 1, "arrays": 1, "documents": 1, "sources": 1}
WDS: Final[dict[str, Any]] = {
    "calibrationCoefficients": [],
    "probe": {"acceleratingVoltage": "15.0", "current": {"average": "2e-008"}},
    "wds": {"channels": [{"spectrometer": 3, "crystal": "PETH"}]},
}
SCAN: Final[dict[str, Any]] = {"probe": {}, "wds": {"channels": [{"spectrometer": 4}]}}
HEADER: Final = b"vendor header"


@dataclass
class GriddedMap:
    """A raster of `shape` (rows, columns) whose points are the positions from `first` on, but for `holes`.

    `number` is that of its analysis, and with 400 more its own.
    """

    number: int = 101
    first: int = 1
    shape: tuple[int, int] = (2, 3)
    holes: Sequence[int] = ()
    seed: int = 0
    name: str = "Ti map"
    listed: bool = True  # whether it has positions at all
    more: Mapping[str, Any] = field(default_factory=dict)  # of map.json

    @property
    def uuid(self) -> str:
        return uid(self.number + 400)

    @property
    def folder(self) -> str:
        return f"maps/{self.uuid}/"

    @property
    def points(self) -> list[str | None]:
        """The position of each point."""
        count = self.shape[0] * self.shape[1] if self.listed else 0
        return [None if at in self.holes else uid(self.first + at) for at in range(count)]


def map_group(*maps: GriddedMap, top: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """The members of a group with an analysis a map: channels, coordinates, described arrays, documents, sources."""
    maps = maps or (GriddedMap(),)
    scan = add_shared({}, "conditions", SCAN)
    sessions = [
        Session(
            each.number,
            [
                Spot(
                    each.first + at, each.seed + each.first + at,
                    extra={"arrays.json": dump(described(scan)), "wds-ch4.data": np.arange(4.0).tobytes()},
                )
                for at, uuid in enumerate(each.points)
                if uuid is not None
            ],
            each.name,
            more={"mapUuids": [each.uuid]},
        )
        for each in maps
    ]  # fmt: skip
    found = contents(sessions, top={"version": "0.1.0", "extensions": EXTENSIONS, **(top or {})})
    add_shared(found, "conditions", SCAN)
    for each in maps:
        found |= map_members(each, found)
    return dict(sorted(found.items()))


def described(scan: str) -> dict[str, Any]:
    """The `arrays.json` of each position; `scan` is the condition of its WDS scan."""
    wds = array_json("<f8", [4], axis=ArrayAxis("position", "mm", 70.0, 0.5, "START"), condition_id=scan)
    fitted = ArrayAxis("wavelength", "Å", 14.9, 0.03, method="fit")
    return {
        "qlw": array_json("<u4", [60], derived_axis=fitted),
        "xes": array_json("<u4", [8, 10]),
        "wds-ch4": wds,
    }


def map_members(plan: GriddedMap, found: dict[str, bytes]) -> dict[str, bytes]:
    """What is in `maps/`, and what belongs to it; `found` has the group's other members."""
    dtype, shape, old = stored_bytes(np.arange(plan.shape[0] * plan.shape[1], dtype="<f8").reshape(plan.shape))
    _, _, new = stored_bytes(np.full(plan.shape, float(plan.seed)))
    made = {plan.folder + "ti-ka.data": old, plan.folder + "ti-ka-v2.data": new}
    condition, raw = (
        add_shared(made, "conditions", WDS),
        add_shared(made, "rawConditions", {**RAW, "mine": plan.number}),
    )
    source = _add_source(made, plan.folder + "ti-ka.data", f"map_{plan.number}.map", old)
    first = next((uuid for uuid in plan.points if uuid is not None), None)
    if first is not None:
        _add_source(made, f"data/{first}/xes.data", f"{first}.xes", found[f"data/{first}/xes.data"])
    channel = {"element": "Ti", "line": "Ka", "order": 1, "spectrometer": 3, "crystal": "PETH", "dwell_ms": 5.0}
    channels = [
        channel_json("Ti Ka", "ti-ka.data", dtype, shape, quantity="counts", unit="1", condition_id=condition,
                     raw_condition_id=raw, source=source, **channel),  # type: ignore[arg-type]
        channel_json("Ti Ka", "ti-ka-v2.data", dtype, shape, version=2, supersedes="ti-ka.data", **channel),  # type: ignore[arg-type]
    ]  # fmt: skip
    frame = MapFrame("stage", "mm", (1.0, 2.0, 10.0), ((0.005, 0.0, 0.0), (0.0, 0.005, 0.0)))
    count = plan.shape[0] * plan.shape[1]
    made[plan.folder + "xy.data"] = np.arange(2.0 * count).reshape(count, 2).tobytes()
    value = map_json(
        plan.uuid, uid(plan.number), "stage", plan.shape, name=plan.name, frame=frame, order="row",
        position_uuids=plan.points or None, xy="xy.data", state_uuid=first, channels=channels, more=plan.more,
    )  # fmt: skip
    made[plan.folder + "map.json"] = dump(value)
    older = add_document(made, {"schema": "test/quant/1", "version": 1, "about": [{"map": plan.uuid}], "data": {}})
    add_document(made, {"schema": "test/quant/1", "version": 2, "supersedes": older, "about": [{"map": plan.uuid}]})
    for uuid in plan.points:
        if uuid is not None:
            add_document(made, {"schema": "test/note/1", "about": [{"position": uuid}]})
    return made


def add_shared(found: dict[str, bytes], folder: str, value: Mapping[str, Any]) -> str:
    """Add a shared file; its hash."""
    raw = dump(value)
    digest = hashlib.sha256(raw).hexdigest()
    found[f"{folder}/{digest}.json"] = raw
    return digest


def add_document(found: dict[str, bytes], value: Mapping[str, Any]) -> str:
    """Add a free document; its hash."""
    return add_shared(found, "documents", value)


def _add_source(found: dict[str, bytes], member: str, name: str, data: bytes) -> str:
    """Add a recipe of one vendor file: a header, then a member; its hash."""
    found[residue_path(HEADER)] = HEADER
    parts = (FilePart(residue_path(HEADER), len(HEADER)), FilePart(member, len(data)))
    whole = HEADER + data
    file = OriginalFile(name, hashlib.sha256(whole).hexdigest(), len(whole), parts)
    return add_shared(found, "sources", recipe_json(OriginalsRecipe("Ti_0001_MAP", (file,), "test")))


def documents(found: Mapping[str, bytes], folder: str) -> dict[str, Any]:
    """The JSON documents of a folder by path."""
    return {path: json.loads(data) for path, data in found.items() if path.startswith(f"{folder}/") if _is_json(path)}


def _is_json(path: str) -> bool:
    return path.endswith(".json")


def maps_of(found: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """The maps of a group by UUID."""
    return {value["uuid"]: value for path, value in documents(found, "maps").items() if path.endswith("/map.json")}


def assert_whole(found: Mapping[str, bytes]) -> None:
    """All that a group's maps, arrays, documents and sources name is there, and its sources rebuild their files."""
    _assert_maps(found)
    for path, value in documents(found, "data").items():
        if path.endswith("/arrays.json"):
            for data_type, entry in value.items():
                assert f"{path.rpartition('/')[0]}/{data_type}.data" in found
                _assert_shared(found, entry)
    _assert_sources(found)
    maps = maps_of(found)
    for path, value in documents(found, "documents").items():
        assert path == f"documents/{hashlib.sha256(found[path]).hexdigest()}.json"
        assert value.get("supersedes") is None or f"documents/{value['supersedes']}.json" in found
        assert not value["about"] or any(
            about.get("map") in maps or f"data/{about.get('position')}/info.json" in found for about in value["about"]
        )


def _assert_maps(found: Mapping[str, bytes]) -> None:
    listed = {uuid for each in json.loads(found["metadata.json"])["analyses"] for uuid in each.get("mapUuids", ())}
    analyses = {each["uuid"] for each in json.loads(found["metadata.json"])["analyses"]}
    maps = maps_of(found)
    assert listed == maps.keys()
    for uuid, value in maps.items():
        assert value["analysisUuid"] in analyses
        assert f"maps/{uuid}/{value['points']['xy']}" in found
        for point in [*value["points"].get("positionUuids", ()), value.get("stateUuid")]:
            assert point is None or f"data/{point}/info.json" in found
        for channel in value["channels"]:
            assert f"maps/{uuid}/{channel['member']}" in found
            _assert_shared(found, channel)
            assert "source" not in channel or f"sources/{channel['source']}.json" in found


def _assert_sources(found: Mapping[str, bytes]) -> None:
    used = set()
    for path, value in documents(found, "sources").items():
        assert path == f"sources/{hashlib.sha256(found[path]).hexdigest()}.json"
        recipe = read_recipe(value, path)
        used |= recipe.residues
        for file in recipe.files:
            assert hashlib.sha256(taken_from(file.parts, found)).hexdigest() == file.sha256
    assert {path for path in found if path.startswith("residue/")} == used


def _assert_shared(found: Mapping[str, bytes], entry: Mapping[str, Any]) -> None:
    for key, folder in (("conditionUuid", "conditions"), ("rawConditionUuid", "rawConditions")):
        assert key not in entry or f"{folder}/{entry[key]}.json" in found
