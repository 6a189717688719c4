"""Pictures of the sample, with their place on the stage."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from uuid import uuid4

from starlette.testclient import TestClient
from support.part_lakes import ONE, dump, uid
from support.small_lakes import zip_of

import sxeslake
from sxeslake.web.app import create_app


def test_images_are_shown_and_marked_on_the_map(tmp_path: Path) -> None:
    state = dump({"stage": {"x": 1.5, "y": 2.5}, "probe": {"beam": {"magnification": "400"}}})
    with sxeslake.init(f"memory://{uuid4().hex}") as lake:
        lake.ingest(zip_of(tmp_path / "map.plzip", {**ONE, f"images/{uid(50)}/state.json": state}))
        client = TestClient(create_app({"epma": lake}), base_url="http://localhost/epma/")
        page = client.get("analysis", params={"of": "map", "analysis": "grain 1"}).text
        (places,) = re.findall(r'data-images="([^"]*)"', page)
        assert json.loads(html.unescape(places)) == [[1, 1.5, 2.5]]
        assert "centre at stage 1.5, 2.5 mm, × 400" in page
        assert "centre at stage" in client.get("archive", params={"of": "map"}).text
        picture = client.get("picture", params={"of": "map", "image": uid(50)})
        assert picture.headers["content-type"] == "image/bmp"
        assert picture.content == ONE[f"images/{uid(50)}/image.bmp"]
        assert "immutable" in picture.headers["cache-control"]
