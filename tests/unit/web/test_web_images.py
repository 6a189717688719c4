"""Pictures of the sample, with their place on the stage."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from uuid import uuid4

import pytest
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
        (place,) = json.loads(html.unescape(places))
        assert (place["number"], place["x"], place["y"], place["affine"]) == (1, 1.5, 2.5, None)
        assert "centre at stage 1.5, 2.5 mm, × 400" in page
        assert "centre at stage" in client.get("archive", params={"of": "map"}).text
        picture = client.get("picture", params={"of": "map@1", "image": uid(50)})
        assert picture.headers["content-type"] == "image/bmp"
        assert picture.content == ONE[f"images/{uid(50)}/image.bmp"]
        assert "immutable" in picture.headers["cache-control"]
        newest = client.get("picture", params={"of": "map", "image": uid(50)})
        assert "immutable" not in newest.headers["cache-control"]  # the next version may have another


_AFFINE = [-0.001, 0, 2.5, 0, 0.001, 1.5]


@pytest.mark.parametrize(
    ("stated", "affine", "bar"),
    [
        ({"affine": _AFFINE, "to": "stage mm", "infoBarRows": 64}, _AFFINE, 64),
        ({"affine": [1, 2, 3], "to": "stage mm"}, None, 0),
        ({"affine": [1, 2, 3, 4, 5, None], "to": "stage mm"}, None, 0),
        ({"affine": [1, 2, 3, 4, 5, 6], "to": "beam"}, None, 0),
        ({"pixel": [0.1, 0.1]}, None, 0),
        ("somewhere", None, 0),
    ],
)  # fmt: skip
def test_the_place_of_an_image_is_that_of_its_registration(
    tmp_path: Path, stated: object, affine: list[float] | None, bar: int
) -> None:
    info = json.loads(ONE[f"images/{uid(50)}/info.json"]) | {"registration": stated}
    with sxeslake.init(f"memory://{uuid4().hex}") as lake:
        lake.ingest(zip_of(tmp_path / "map.plzip", {**ONE, f"images/{uid(50)}/info.json": dump(info)}))
        client = TestClient(create_app({"epma": lake}), base_url="http://localhost/epma/")
        (image,) = client.get("analysis.json", params={"of": "map", "analysis": "grain 1"}).json()["images"]
        assert (image["affine"], image["info_bar_rows"]) == (affine, bar)
