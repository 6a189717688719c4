"""The documentation below `/help`: found, allowed its own scripts and no others, never outside of its folder."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sxeslake.lake import Lake
from sxeslake.web import app as app_module
from sxeslake.web import help as help_module
from sxeslake.web.app import create_app
from sxeslake.web.options import ServeOptions

SCRIPT = "document.title = 'é';"
PAGE = f"""<!doctype html><html><head><script src="_static/search.js"></script>
<script>{SCRIPT}</script><script type="x">
</script></head><body><p>Help</p></body></html>"""


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Built pages, and a file outside of them."""
    folder = tmp_path / "docs"
    for name in ("index.html", "howto/index.html", "search.html"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(PAGE, encoding="utf-8")
    (folder / "_static").mkdir()
    (folder / "_static/search.js").write_text("1;")
    (tmp_path / "secret.html").write_text("secret")
    monkeypatch.setattr(app_module, "help_folder", lambda: folder)
    return folder


def client_of(lake: Lake, **options: str) -> TestClient:
    app = create_app({"help": lake}, ServeOptions(**options))  # type: ignore[arg-type]
    return TestClient(app, base_url="http://localhost", follow_redirects=False)


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("prefix", ["", "/lake"])
def test_pages_are_found_below_a_prefix_too(lake: Lake, prefix: str) -> None:
    client = client_of(lake, prefix=prefix)
    assert client.get(f"{prefix}/help").headers["location"] == "help/"
    for path in ("", "index.html", "howto/", "howto/index.html", "search.html?q=map"):
        answer = client.get(f"{prefix}/help/{path}")
        assert answer.status_code == 200, path
        assert "<p>Help</p>" in answer.text
    assert client.get(f"{prefix}/help/_static/search.js").text == "1;"
    assert client.get(f"{prefix}/help/nothing.html").status_code == 404
    assert client.get(f"{prefix}/help/howto").status_code == 404
    again = client.get(f"{prefix}/help/", headers={"If-None-Match": client.get(f"{prefix}/help/").headers["etag"]})
    assert again.status_code == 304
    assert "sha256-" in again.headers["content-security-policy"]


@pytest.mark.usefixtures("pages")
def test_the_policy_allows_the_scripts_of_the_page_and_no_others(lake: Lake) -> None:
    client = client_of(lake)
    policy = client.get("/help/").headers["content-security-policy"]
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in client.get("/help/_static/search.js").headers["content-security-policy"]
    lake_page = client.get("/help-2/find")
    assert lake_page.status_code == 200  # a lake called `help` has another address
    assert "unsafe" not in lake_page.headers["content-security-policy"]
    assert 'href="../help/"' in lake_page.text


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("path", ["..%2fsecret.html", "howto/..%2f..%2fsecret.html", "%2fetc/passwd"])
def test_nothing_outside_of_the_folder_is_shown(lake: Lake, path: str) -> None:
    answer = client_of(lake).get(f"/help/{path}")
    assert answer.status_code == 404
    assert "secret" not in answer.text.replace(path, "")


def test_without_pages_it_says_how_to_build_them(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "help_folder", lambda: None)
    for path in ("/help/", "/help/howto/index.html"):
        answer = client_of(lake).get(path)
        assert answer.status_code == 404
        assert "make docs" in answer.text
        base = re.findall(r'href="((?:\.\./)+|\./)static/sxeslake\.css', answer.text)
        assert base == ["../" * (path.count("/") - 1)]
    assert client_of(lake).get("/help/", headers={"Accept": "application/json"}).json()["error"]["status"] == 404


def test_the_pages_of_the_package_go_before_those_of_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "sxeslake"
    monkeypatch.setattr(help_module, "_PACKAGE", package)
    assert help_module.help_folder() is None
    for folder in (tmp_path / "build" / "docs", package / "help"):
        folder.mkdir(parents=True)
        assert help_module.help_folder() != folder
        (folder / "index.html").write_text(PAGE)
        assert help_module.help_folder() == folder
