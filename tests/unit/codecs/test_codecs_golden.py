"""Payloads written by earlier versions stay readable: `tests/golden/frames`, one file a frame and an index.

`python tests/unit/codecs/test_codecs_golden.py` adds frames for new pipelines; it never rewrites one.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3

from sxeslake.codecs import Pipeline, decode, encode
from sxeslake.codecs.filters import FILTERS
from sxeslake.codecs.pipeline import CODERS

GOLDEN = Path(__file__).parents[2] / "golden" / "frames"
INDEX = GOLDEN / "index.json"
ENTRIES: list[dict[str, str]] = json.loads(INDEX.read_text("utf-8")) if INDEX.exists() else []


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["pipeline"] for entry in ENTRIES])
def test_an_old_frame_is_readable(entry: dict[str, str]) -> None:
    payload = (GOLDEN / entry["file"]).read_bytes()
    raw = decode(entry["pipeline"], payload, int(entry["raw_size"]))
    assert blake3(raw).hexdigest() == entry["blake3"]


def test_every_codec_and_filter_has_a_golden_frame() -> None:
    stages = {stage for entry in ENTRIES for stage in entry["pipeline"].replace("=", ":").replace("|", ":").split(":")}
    assert {coder.name for coder in CODERS} | {stage.name for stage in FILTERS} <= stages


def _write() -> None:
    random = np.random.default_rng(20240501)
    image = random.poisson(np.tile(np.linspace(40, 900, 129), (17, 1))).astype("<u4").tobytes()
    curve = random.normal(size=1000).cumsum().astype("<f4").astype("<f8").tobytes()
    text = "".join(f'{{"uuid":"{n * 977:08x}","comment":"Pos. : {n}"}}' for n in range(60)).encode()
    odd = bytes(range(251)) * 5
    frames = {
        "raw": odd,
        "zstd:9": text,
        "transpose=1x8|zstd:3": curve,
        "head=12|tail=12|raw": odd,
        "head=100|tail=7|pco:u2:8:d1": odd,
        "pco:f8:8:d2:q29": curve,
        "pco:f8:8": curve,
        "pco:f4:7:d1": curve,
        "pco:f2:8": odd,
        "pco:u1:8:d1": odd,
        "pco:i8:8:d0": curve,
        "delta=4x129|pco:u4:8:d1": image,
        "delta=4x129|delta=4x1|transpose=4x129|pco:i4:8:d0:c3": image,
        "delta=4x1|transpose=4x129|pco:i4:8:v1:c3": image,
        "head=3|tail=2|delta=2x5|delta=1x3|transpose=2x7|zstd:19": odd,
    }
    GOLDEN.mkdir(parents=True, exist_ok=True)
    known = {entry["pipeline"] for entry in ENTRIES}
    for pipeline, raw in frames.items():
        if pipeline not in known:
            file = f"{len(ENTRIES):02d}.payload"
            (GOLDEN / file).write_bytes(encode(Pipeline.parse(pipeline), raw))
            ENTRIES.append(
                {"file": file, "pipeline": pipeline, "raw_size": str(len(raw)), "blake3": blake3(raw).hexdigest()}
            )
    INDEX.write_text(json.dumps(ENTRIES, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    _write()
