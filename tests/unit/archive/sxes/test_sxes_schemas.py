"""The JSON Schemas agree with real and synthetic archives, and refuse what is not the format."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support.sxes_sources import sxes_source

from sxeslake.archive import MemberSource, create_group, open_group

NAMES = ("condition", "info", "metadata", "raw_condition", "state")


def validator(name: str) -> Any:
    schema = json.loads((files("sxeslake.archive") / "schemas" / f"{name}.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def schema_of(path: str) -> str | None:
    if path.startswith("conditions/"):
        return "condition"
    if path.startswith("rawConditions/"):
        return "raw_condition"
    name = path.rpartition("/")[2]
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
    ],
)
def test_what_is_not_the_format_is_refused(name: str, value: object) -> None:
    assert not validator(name).is_valid(value)


def test_unknown_fields_are_welcome() -> None:
    assert validator("info").is_valid({"uuid": "a", "mounted": {"by": [1]}})
