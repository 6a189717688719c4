"""The JSON Schemas agree with real and synthetic archives, and refuse what is not the format."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support.sxes_sources import sxes_source

from sxeslake.archive import ArrayAxis, FilePart, MapFrame, MemberSource, OriginalFile, create_group, open_group

NAMES = ("arrays", "condition", "document", "info", "map", "metadata", "raw_condition", "source", "state")
FOLDERS = {
    "conditions": "condition", "rawConditions": "raw_condition", "documents": "document", "sources": "source",
}  # fmt: skip


def validator(name: str) -> Any:
    schema = json.loads((files("sxeslake.archive") / "schemas" / f"{name}.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def schema_of(path: str) -> str | None:
    folder, _, name = path.rpartition("/")
    if folder in FOLDERS:
        return FOLDERS[folder]
    return name.removesuffix(".json") if name.endswith(".json") else None


def validate_all(source: MemberSource) -> int:
    checked = 0
    validators = {name: validator(name) for name in NAMES}
    for member in source.children(""):
        name = schema_of(member.path)
        if member.kind == "file" and name is not None:
            errors = [error.message for error in validators[name].iter_errors(json.loads(source.read(member.path)))]
            assert errors == [], member.path
            checked += 1
    return checked


def test_a_synthetic_map_is_valid() -> None:
    assert validate_all(sxes_source()) == 6 * 2 + 3


def test_a_real_archive_is_valid(real_archive: Path) -> None:
    with open_group(real_archive) as group:
        assert validate_all(group.source) == 14 * 2 + 3


def test_what_the_editor_makes_is_valid() -> None:
    group = create_group()
    analysis = group.add_project("p").add_analysis("a")
    analysis.add_position(condition={"ccd": {}}, state={"stage": {"x": 1.5}})
    analysis.add_image(b"", "bmp", condition={"ccd": {}})
    assert validate_all(group.source) == 1 + 4 + 2


def test_every_schema_is_known_here() -> None:
    assert sorted(each.name for each in (files("sxeslake.archive") / "schemas").iterdir()) == [
        f"{name}.json" for name in NAMES
    ]


def test_what_uses_all_extensions_is_valid() -> None:
    group = create_group()
    analysis = group.add_project("p").add_analysis("a")
    position = analysis.add_position(condition={"probe": {}}, state={})
    axis, fit = ArrayAxis("position", "mm", 70.0, 0.5, source="XM"), ArrayAxis("wavelength", "Å", listed=(1.0, 2.0))
    position.add_array("wds", [1.0, 2.0], axis=axis, derived_axis=fit, columns=["a", "b"], condition={"probe": {}},
                       raw_condition={}, made_by="me")  # fmt: skip
    position.add_array("wds-v2", [1.0, 2.0], supersedes="wds")
    frame = MapFrame("stage", "mm", (1.0, 2.0), ((0.5, 0.0), (0.0, 0.5)))
    raster = analysis.add_map("stage", (1, 2), name="Ti", order="column", frame=frame, positions=[position, None],
                              xy=[[1, 2], [3, 4]], state=position)  # fmt: skip
    pieces: list[bytes | FilePart] = [b"head", FilePart(f"{position.folder}wds.data", 8, 8)]
    file = OriginalFile("1.wds", "", 0, (), modified_s=1.5)
    source = group.add_source("Ti_QLW", [(file, pieces)], tool="t")
    for _ in range(2):
        raster.add_channel(
            "Ti Ka", [[1, 2]], quantity="counts", unit="1", element="Ti", line="Ka", order=1, spectrometer=3,
            crystal="PETH", dwell_ms=5.0, condition={"probe": {}}, raw_condition={}, source=source.id,
            more={"peak": {"value": 87.784, "unit": "mm"}, "check": {"min": 1, "max": 2, "mean": 1.5}},
        )  # fmt: skip
    first = group.add_document([1], schema="s/1", about=[raster, position, analysis], by="me")
    group.add_document([2], schema="s/1", supersedes=first)
    group.remove(position)
    analysis.add_map("free", xy=[[1, 2, 3]])
    assert validate_all(group.source) == 1 + 2 + 1 + 2 + 1 + 1  # metadata, maps and a state, documents, shared
    position = analysis.add_position(condition={"ccd": {}}, state={})
    position.add_array("a", [1], columns=["n"])
    group.add_source("b", [(file, [FilePart(f"{position.folder}a.data", 8)])])
    image = analysis.add_image(b"", "bmp", condition={"probe": {}})
    image.edit_info(signal="COMPO", registration={"pixel": [0.5, 0.5], "raster": [1280, 960], "infoBarRows": 64,
                                                  "affine": [1, 0, 0, 0, 1, 0], "to": "stage mm"})  # fmt: skip
    assert validate_all(group.source) == 8 + 3 + 1 + 1 + 2 + 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metadata", {}),
        ("metadata", {"projects": [{"uuid": "a"}], "analyses": []}),
        (
            "metadata",
            {"projects": [], "analyses": [{"uuid": "a", "positionUuids": [], "acquisitionDate": "12.4.2018"}]},
        ),
        ("info", {"uuid": ""}),
        ("info", {"uuid": "a", "conditionUuid": "not a hash"}),
        ("state", {"probe": {"acceleratingVoltage": "five"}}),
        ("state", {"stage": {"x": []}}),
        ("condition", {}),
        ("raw_condition", {"dataCondition": []}),
        ("metadata", {"projects": [], "analyses": [], "extensions": {"maps": "1"}}),
        ("metadata", {"projects": [], "analyses": [], "extensionsRequired": "maps"}),
        ("info", {"uuid": "a", "registration": {"pixel": [1]}}),
        ("map", {}),
        ("map", {"uuid": "m", "analysisUuid": "a", "kind": "round", "shape": [1], "channels": []}),
        ("map", {"uuid": "m", "analysisUuid": "a", "kind": "free", "shape": [-1], "channels": []}),
        (
            "map",
            {
                "uuid": "m",
                "analysisUuid": "a",
                "kind": "free",
                "shape": [1],
                "channels": [{"name": "a", "member": "../a.data", "dtype": "<f8", "shape": [1]}],
            },
        ),
        ("arrays", {"a": {"dtype": "O", "shape": [1]}}),
        ("arrays", {"a.b": {"dtype": "<f8", "shape": [1]}}),
        ("arrays", {"a": {"dtype": "<f8", "shape": [1], "axis": {"quantity": "energy", "unit": "eV"}}}),
        ("document", {"schema": "s", "version": 0, "about": [], "data": 1}),
        ("document", {"schema": "s", "version": 1, "about": [], "data": 1, "supersedes": "first"}),
        ("source", {"root": "r"}),
        ("source", {"root": "r", "files": [{"path": "a", "sha256": "0", "size": 1, "parts": []}]}),
    ],
)
def test_what_is_not_the_format_is_refused(name: str, value: object) -> None:
    assert not validator(name).is_valid(value)


def test_the_examples_of_the_specification_are_valid() -> None:
    page = (files("sxeslake") / "ARCHIVE.md").read_text("utf-8").partition("\n## 10. Extensions\n")[2]
    blocks = page.partition("\n## 11.")[0].split("```")[1::2]
    for name, block in zip(("metadata", "map", "arrays", "document", "source"), blocks, strict=True):
        text = block.replace("<sha256>", "0" * 64).replace(",…", "").replace("…", "")
        assert [error.message for error in validator(name).iter_errors(json.loads(text))] == [], name


def test_unknown_fields_are_welcome() -> None:
    assert validator("info").is_valid({"uuid": "a", "mounted": {"by": [1]}})
