"""Small sxes groups of which every part is told: what tests of selections, merges and differences pull apart."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.small_lakes import counts, zip_of
from sxeslake.archive import open_container
from sxeslake.lake import Lake

CONDITION: dict[str, Any] = {"ccd": {"grating": "JS300N", "accumulation": "10", "model": "JXA"}, "probe": {}}
RAW: dict[str, Any] = {"dataCondition": {}}


def uid(number: int) -> str:
    """The uuid of a number."""
    return str(uuid.UUID(int=number, version=4))


@dataclass
class Spot:
    """A position: its number is its uuid, its seed what was measured."""

    number: int
    seed: int
    comment: str = ""
    condition: Mapping[str, Any] = field(default_factory=lambda: CONDITION)
    background: int | None = None
    kv: float = 5.0
    extra: Mapping[str, bytes] = field(default_factory=dict)


@dataclass
class Session:
    """An analysis."""

    number: int
    spots: Sequence[Spot]
    name: str = ""
    images: Sequence[int] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


def contents(
    sessions: Sequence[Session], *, project: int = 900, top: Mapping[str, Any] | None = None
) -> dict[str, bytes]:
    """The members of a group."""
    found: dict[str, bytes] = {}
    for session in sessions:
        for spot in session.spots:
            found |= _spot(spot)
        for image in session.images:
            info = {"uuid": uid(image), "imageType": "bmp", "conditionUuid": _shared(found, "conditions", CONDITION)}
            found[f"images/{uid(image)}/info.json"] = dump(info)
            found[f"images/{uid(image)}/state.json"] = dump({"stage": {"x": 1}})
            found[f"images/{uid(image)}/image.bmp"] = b"BM" + counts(image, 30)
    analyses = [
        {
            "uuid": uid(session.number), "name": session.name, "positionUuids": [uid(s.number) for s in session.spots],
            **({"imageUuids": [uid(image) for image in session.images]} if session.images else {}), **session.more,
        }
        for session in sessions
    ]  # fmt: skip
    projects = [{"uuid": uid(project), "name": "P", "analysisUuids": [uid(s.number) for s in sessions], "mine": [1]}]
    found["metadata.json"] = dump({"projects": projects, "analyses": analyses, **(top or {})})
    found["notes/readme.txt"] = b"kept by nobody"
    return dict(sorted(found.items()))


def _spot(spot: Spot) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    info: dict[str, Any] = {"comment": spot.comment, "uuid": uid(spot.number)}
    info["conditionUuid"] = _shared(found, "conditions", spot.condition)
    info["rawConditionUuid"] = _shared(found, "rawConditions", RAW)
    if spot.background is not None:
        frame = counts(spot.background, 50)
        info["backgroundUuid"] = hashlib.sha256(frame).hexdigest()
        found[f"backgrounds/{info['backgroundUuid']}"] = frame
    state = {
        "saveDate": f"2020/02/03 04:05:{spot.seed % 60:02}",
        "stage": {"x": float(spot.seed), "y": 1.5, "z": 10},
        "probe": {"acceleratingVoltage": str(spot.kv)},
    }
    folder = f"data/{uid(spot.number)}/"
    found[folder + "info.json"] = dump(info)
    found[folder + "state.json"] = dump(state)
    found[folder + "qlw.data"] = counts(spot.seed, 60)
    found[folder + "xes.data"] = counts(spot.seed + 50_000, 80)
    return found | {folder + name: data for name, data in spot.extra.items()}


def _shared(found: dict[str, bytes], folder: str, value: Mapping[str, Any]) -> str:
    raw = dump(value)
    digest = hashlib.sha256(raw).hexdigest()
    found[f"{folder}/{digest}.json"] = raw
    return digest


def dump(value: Any) -> bytes:
    """JSON as the format's writer makes it."""
    return json.dumps(value, separators=(",", ":")).encode()


OTHER = {"ccd": {"grating": "JS50XL"}}
ONE = contents(
    [
        Session(
            101,
            [Spot(1, 1, "first", background=7), Spot(2, 2), Spot(3, 3, condition=OTHER, kv=10)],
            "grain 1",
            images=[50],
        ),
        Session(102, [Spot(4, 4, extra={"log.txt": b"x", "sub/deep.bin": b"y"})], "grain 2", more={"mine": 1}),
    ],
    top={"future": 5},
)


def files(path: str | Path | None) -> dict[str, bytes]:
    """The files of an archive."""
    assert path is not None
    with open_container(Path(path)) as found:
        return {m.path: found.read(at) for at, m in enumerate(found.members) if m.kind == "file"}


def metadata(path: str | Path | None) -> dict[str, Any]:
    """Its `metadata.json`."""
    found: dict[str, Any] = json.loads(files(path)["metadata.json"])
    return found


def add(lake: Lake, tmp_path: Path, name: str, members: dict[str, bytes]) -> None:
    """Store a group under a name."""
    lake.ingest(zip_of(tmp_path / "in" / f"{name}.plzip", members))
