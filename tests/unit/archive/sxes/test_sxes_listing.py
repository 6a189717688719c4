"""A large metadata.json apart and together again; where that would lose something it stays whole."""

from __future__ import annotations

from typing import Any

import pytest

from sxeslake.archive.sxes.documents import listing as module
from sxeslake.archive.sxes.documents.listing import ListPlace, listing, relisted


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_POSITIONS", 3)


METADATA: dict[str, Any] = {
    "projects": [{"uuid": "p", "analysisUuids": ["a", "b"]}],
    "analyses": [{"uuid": "a", "positionUuids": ["z", "y"]}, {"uuid": "b", "positionUuids": ["x"], "mine": 1}],
    "top": 1,
}


def test_apart_and_together() -> None:
    found = listing(METADATA)
    assert found is not None
    assert found.places == {"z": ListPlace(0, 0), "y": ListPlace(0, 1), "x": ListPlace(1, 0)}
    assert [each["positionUuids"] for each in found.outline["analyses"]] == [[], []]
    assert relisted(found.outline, found.places) == METADATA
    part = relisted(found.outline, {"x": ListPlace(1, 0), "y": ListPlace(0, 1)})
    assert [each["positionUuids"] for each in part["analyses"]] == [["y"], ["x"]]


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"analyses": 5},
        {"analyses": [{"positionUuids": ["a", "b"]}]},
        {"analyses": [{"positionUuids": ["a", "b", "a"]}]},
        {"analyses": [{"positionUuids": ["a", "b", "c", 4]}]},
        {"analyses": [{"positionUuids": ["a", "b", "c"]}, {"name": "no list"}]},
        {"analyses": [{"positionUuids": ["a", "b", "c"], "comment": "x" * module.MOST_OUTLINE_BYTES}]},
    ],
)
def test_what_cannot_be_told_so_stays_whole(metadata: Any) -> None:
    assert listing(metadata) is None
