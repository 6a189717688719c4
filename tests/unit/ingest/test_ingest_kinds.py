"""Which blobs share a frame."""

from __future__ import annotations

import pytest

from sxeslake.vault.packs.kinds import ALONE_BYTES, kind_of

UUID = "5d2b7c1e-0000-4000-8000-000000000001"
SHA = "a" * 64


@pytest.mark.parametrize(
    ("path", "size", "kind"),
    [
        (f"data/{UUID}/info.json", 300, ("json", "info.json", 0)),
        (f"data/{UUID}/state.json", 300, ("json", "state.json", 0)),
        ("metadata.json", 300, ("json", "metadata.json", 0)),
        (f"conditions/{SHA}.json", 700, ("json", ".json", 0)),
        (f"rawConditions/{SHA}.JSON", 700, ("json", ".json", 0)),
        (f"data/{UUID}/xes.data", 139_332, ("array", "xes.data", 139_332)),
        (f"data/{UUID}/qlw.data", 32_760, ("array", "qlw.data", 32_760)),
        (f"backgrounds/{SHA}", 139_356, ("array", "backgrounds", 139_356)),
        ("readme.txt", 10, ("array", "txt", 0)),
        ("readme.TXT", 10, ("array", "txt", 0)),
        ("Makefile", 10, ("array", "", 0)),
        ("scan.tif", ALONE_BYTES, ("array", "tif", ALONE_BYTES)),
        ("a.b/c", 10, ("array", "", 0)),
        ("json", 10, ("array", "", 0)),
        ("日本.json", 10, ("json", "日本.json", 0)),
        ("x." + "y" * 100, 10, ("array", "y" * 16, 0)),
    ],
)
def test_kinds(path: str, size: int, kind: tuple[str, str, int]) -> None:
    assert kind_of(path, size) == kind


def test_every_json_goes_to_the_packs_of_documents() -> None:
    paths = ["a.json", "b/c.json", "d.JSON", f"backgrounds/{SHA}.json", "x.data", "y"]
    assert [kind_of(path, 10).pack for path in paths] == ["json"] * 4 + ["array"] * 2
