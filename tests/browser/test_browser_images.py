"""An image whose registration is known is outlined on the map where it lies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import web_pages
from support.part_lakes import Session, Spot, contents, dump, uid
from support.small_lakes import zip_of
from support.web_pages import visitor

import sxeslake
from sxeslake.web.drawing.png import png

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_PAINTED = """(() => {
  const canvas = document.getElementById('map-canvas');
  const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const found = [];
  for (let n = 3; n < data.length; n += 4) if (data[n] > 200) found.push([((n - 3) / 4) % width, Math.floor((n - 3) / 4 / width)]);
  if (found.length < 100) return null;
  const [x, y] = [found.map((one) => one[0] / width), found.map((one) => one[1] / height)];
  return [Math.min(...x), Math.max(...x), Math.min(...y), Math.max(...y)];
})()"""  # noqa: E501
_STEP_MM = 0.01


def test_the_outline_lies_where_the_registration_says(tmp_path: Path, chrome: Browser) -> None:
    spectrum = np.full(4096, 100.0).tobytes()
    spots = [
        Spot(10 * row + column, 1, kv=5, extra={
            "qlw.data": spectrum,
            "state.json": dump({"stage": {"x": 0.5 * column, "y": 0.5 * row, "z": 10}}),
        })
        for row in range(1, 5) for column in range(1, 5)
    ]  # fmt: skip
    members = contents([Session(900_001, spots, "grain", images=[50])])
    picture = png(np.full((60, 100), 9, np.uint8), "grey")  # 1 × 0.5 mm above an info bar of 10 rows
    affine = [-_STEP_MM, 0, 1.5, 0, _STEP_MM, 0.75]
    stated = {"affine": affine, "to": "stage mm", "infoBarRows": 10}
    info = json.loads(members[f"images/{uid(50)}/info.json"]) | {"imageType": "png", "registration": stated}
    members[f"images/{uid(50)}/info.json"] = dump(info)
    del members[f"images/{uid(50)}/image.bmp"]
    members[f"images/{uid(50)}/image.png"] = picture
    with sxeslake.init(str(tmp_path / "epma")) as lake:
        lake.ingest(zip_of(tmp_path / "map.plzip", members))
    words = ("serve", "--lake", str(tmp_path / "epma"))
    with (
        web_pages.served(*words, env={"SXESLAKE_CACHE": str(tmp_path / "cache")}) as address,
        visitor(chrome, f"{address}epma/") as seen,
    ):
        seen.go("analysis?of=map@1")
        left, right, top, bottom = seen.until(_PAINTED)
        x0, x1, y0, y1 = seen.page.evaluate(
            "async () => (await (await fetch('roi.json' + location.search + '&analysis=1')).json()).extent_mm"
        )
        assert x0 + left * (x1 - x0) == pytest.approx(0.5, abs=0.03)
        assert x0 + right * (x1 - x0) == pytest.approx(1.5, abs=0.03)
        assert y1 - bottom * (y1 - y0) == pytest.approx(0.75, abs=0.03)
        assert y1 - top * (y1 - y0) == pytest.approx(1.25, abs=0.03)
