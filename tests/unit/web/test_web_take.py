"""What is taken away: whole versions that go on where they stopped, and selections that open again."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from sxeslake.archive import open_group
from sxeslake.lake import Lake
from sxeslake.web.app import create_app
from sxeslake.web.ranges import part_of

MAP = "2019/chalcopyrite map@2"


def test_a_version_is_a_zip_that_opens(client: TestClient, tmp_path: Path) -> None:
    answer = client.get("download", params={"of": MAP})
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["accept-ranges"] == "bytes"
    assert "immutable" in answer.headers["cache-control"]
    path = tmp_path / "map.plzip"
    path.write_bytes(answer.content)
    with open_group(path) as group:
        assert len(group.positions) == 12


def test_an_interrupted_download_goes_on_where_it_stopped(client: TestClient) -> None:
    whole = client.get("download", params={"of": MAP})
    half = len(whole.content) // 2
    rest = client.get(
        "download", params={"of": MAP}, headers={"Range": f"bytes={half}-", "If-Range": whole.headers["etag"]}
    )
    assert rest.status_code == 206
    assert rest.headers["content-range"] == f"bytes {half}-{len(whole.content) - 1}/{len(whole.content)}"
    assert whole.content[:half] + rest.content == whole.content
    other = client.get("download", params={"of": MAP}, headers={"Range": "bytes=5-", "If-Range": '"another"'})
    assert (other.status_code, len(other.content)) == (200, len(whole.content))
    beyond = client.get("download", params={"of": MAP}, headers={"Range": f"bytes={len(whole.content)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole.content)}")
    head = client.head("download", params={"of": MAP})
    assert (head.headers["content-length"], head.content) == (whole.headers["content-length"], b"")
    again = client.get("download", params={"of": MAP}, headers={"If-None-Match": whole.headers["etag"]})
    assert again.status_code == 304


def test_the_original_file_comes_back_byte_for_byte(client: TestClient, lake: Lake) -> None:
    info = lake.show(MAP)
    answer = client.get("original", params={"of": MAP})
    assert hashlib.sha256(answer.content).hexdigest() == info.source.sha256
    rest = client.get(
        "original", params={"of": MAP}, headers={"Range": "bytes=1000-", "If-Range": answer.headers["etag"]}
    )
    assert rest.status_code == 206
    assert rest.content == answer.content[1000:]
    assert info.name in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None), ("bytes=0-9", (0, 10)), ("bytes=5-", (5, 100)), ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)), ("bytes=90-1000", (90, 100)), ("bytes=1-2,5-6", None), ("items=1-2", None),
        ("bytes=9-2", None), ("bytes=-", None),
    ],
)  # fmt: skip
def test_ranges_are_those_of_http(header: str | None, part: tuple[int, int] | None) -> None:
    assert part_of(header, 100) == part


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=-0", "bytes=500-600"])
def test_a_range_that_is_not_there_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match=header):
        part_of(header, 100)


@pytest.mark.parametrize("form", ["plzip", "pl7z"])
def test_a_selection_is_an_archive_of_its_own(client: TestClient, tmp_path: Path, form: str) -> None:
    answer = client.get("take", params={"of": MAP, "analysis": "1", "positions": "2..4", "format": form})
    assert answer.status_code == 200
    path = tmp_path / f"part.{form}"
    path.write_bytes(answer.content)
    with open_group(path) as group:
        assert [position.comment[-1] for position in group.positions] == ["2", "3", "4"]


def test_spectra_of_a_selection_are_tables(client: TestClient, lake: Lake) -> None:
    words = {"of": MAP, "analysis": "1", "positions": "2,4"}
    table = client.get("take", params={**words, "format": "csv"}).text
    assert "energy" in table or "wavelength" in table
    assert lake.url not in table.partition("\n")[0]
    many = zipfile.ZipFile(io.BytesIO(client.get("take", params={**words, "format": "msa"}).content))
    assert len(many.namelist()) == 2
    one = client.get("take", params={"of": MAP, "positions": "2", "format": "msa"}).content
    assert one.startswith(b"#FORMAT")


def test_nothing_that_was_made_for_a_download_is_left(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for form in ("plzip", "msa"):
        assert client.get("take", params={"of": MAP, "positions": "2", "format": form}).status_code == 200
        assert client.head("take", params={"of": MAP, "positions": "2", "format": form}).status_code == 200
    assert client.get("take", params={"of": MAP, "area": "0,0 1,0 1,1"}).status_code == 404
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_download_whose_client_leaves(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    app = create_app({"epma": lake})
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
        "path": "/epma/take", "raw_path": b"/epma/take", "scheme": "http", "client": ("127.0.0.1", 1),
        "query_string": b"of=2019/chalcopyrite+map@2&format=plzip", "headers": [(b"host", b"localhost")],
    }  # fmt: skip
    seen: list[int] = []

    async def leaving(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            seen.append(len(list(tmp_path.iterdir())))
            raise OSError("the client has gone")

    async def receive() -> MutableMapping[str, Any]:
        await anyio.sleep(60)
        return {"type": "http.disconnect"}

    async def run() -> None:
        with pytest.raises(ClientDisconnect):
            await app(scope, receive, leaving)

    anyio.run(run)
    assert seen == [1]
    assert list(tmp_path.iterdir()) == []
