"""The pages below a prefix behind a real nginx, as `infra/nginx-lake.conf` sets it up, with names of people."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from support import web_pages
from support.web_pages import visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_EXAMPLE = Path(__file__).parents[2] / "infra" / "nginx-lake.conf"
_MAP = "2019%2Fchalcopyrite+map@2"
_HOST = "lab.example.org"
_SERVER = """
daemon off; pid {folder}/pid; error_log {folder}/error.log;
{user}
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; include {folder}/lake.conf; }}
}}
"""


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def behind(facility: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of the lake through nginx, and that of the server itself."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/sbin")
    if nginx is None:
        pytest.skip("there is no nginx on this machine: apt-get install nginx-light")
    folder = tmp_path_factory.mktemp("nginx")
    folder.chmod(0o755)
    words = ("serve", "--lake", str(facility), "--prefix", "/lake", "--allow-host", _HOST,
             "--trust-header", "X-Remote-User", "--trusted-proxy", "127.0.0.9")  # fmt: skip
    with web_pages.served(*words, env={"SXESLAKE_CACHE": str(folder / "cache")}) as address:
        inner = urlsplit(address).netloc
        lake = _EXAMPLE.read_text(encoding="utf-8").replace("127.0.0.1:8321", inner)
        lake = lake.replace("/etc/nginx/lake.users", f"{folder}/users")
        lake = lake.replace(
            "proxy_http_version", "proxy_bind 127.0.0.9; proxy_http_version"
        )  # nginx alone calls from it
        (folder / "lake.conf").write_text(lake)
        (folder / "users").write_text("curie:{PLAIN}radium\n")
        port = _free_port()
        user = "user root;" if Path("/root").stat().st_uid == 0 and _is_root() else ""
        (folder / "nginx.conf").write_text(_SERVER.format(folder=folder, port=port, user=user))
        process = subprocess.Popen([nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"])
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}/lake/epma/", inner
        finally:
            process.terminate()
            process.wait(20)


def _is_root() -> bool:
    import os  # noqa: PLC0415 - no getuid on Windows

    return hasattr(os, "getuid") and os.getuid() == 0


def _wait_for(port: int) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)


def _asked(place: str, address: str, **headers: str) -> tuple[int, bytes]:
    link = http.client.HTTPConnection(place, timeout=30)
    link.request("GET", address, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = link.getresponse()
    found = answer.status, answer.read()
    link.close()
    return found


def test_every_page_works_below_the_prefix_and_names_its_visitor(
    behind: tuple[str, str], chrome: Browser, tmp_path: Path
) -> None:
    address, _ = behind
    who = {"username": "curie", "password": "radium"}
    with visitor(chrome, address, http_credentials=who, accept_downloads=True) as seen:
        page = seen.page
        page.goto(address.removesuffix("epma/").removesuffix("/"))  # `/lake`, without its last slash
        seen.until("location.pathname === '/lake/epma/find'")
        assert page.locator(".user").inner_text() == "curie"
        page.get_by_role("link", name=re.compile(r"^5\s*\d+$")).click()
        seen.until("document.querySelectorAll('.chip').length === 1")
        page.get_by_role("link", name="map", exact=True).first.click()
        seen.until("document.querySelector('#map-image')?.naturalWidth && document.querySelector('#sum-plot canvas')")
        seen.settle()
        for label in ("Compare", "Questions", "SQL", "Lake", "Find"):
            page.get_by_role("navigation").get_by_role("link", name=label).click()
            seen.until(f"document.querySelector('[aria-current=page]')?.textContent === {label!r}")
        seen.settle()
        seen.go(f"archive?of={_MAP}")
        with page.expect_download() as coming:
            page.get_by_role("link", name="Download this version").click()
        out = tmp_path / "whole.plzip"
        coming.value.save_as(out)
        assert out.read_bytes()[:2] == b"PK"
        for link in page.locator("a[href]").all():
            assert not re.match(r"\w+:|/", link.get_attribute("href") or ""), "an address that is not relative"


def test_nobody_enters_without_a_password_and_no_one_takes_another_name(behind: tuple[str, str]) -> None:
    address, inner = behind
    place = urlsplit(address).netloc
    assert _asked(place, "/lake/epma/find.json")[0] == 401
    basic = f"Basic {b64encode(b'curie:radium').decode()}"
    status, body = _asked(place, "/lake/epma/find", Authorization=basic, X_Remote_User="einstein")
    assert status == 200
    assert b'<p class="user">curie</p>' in body
    assert b"einstein" not in body
    for host in ("127.0.0.1", _HOST):  # not through the proxy: the header says nothing
        status, body = _asked(inner, "/lake/epma/find", X_Remote_User="einstein", Host=host)
        assert status == 200
        assert b"einstein" not in body
        assert b'class="user"' not in body


def test_only_known_hosts_are_answered_through_the_proxy(behind: tuple[str, str]) -> None:
    address, _ = behind
    place = urlsplit(address).netloc
    basic = f"Basic {b64encode(b'curie:radium').decode()}"
    assert _asked(place, "/lake/epma/find.json", Authorization=basic, Host=_HOST)[0] == 200
    assert _asked(place, "/lake/epma/find.json", Authorization=basic, Host="elsewhere.example")[0] == 421


def test_a_download_goes_on_where_it_stopped(behind: tuple[str, str]) -> None:
    address, _ = behind
    place = urlsplit(address).netloc
    basic = f"Basic {b64encode(b'curie:radium').decode()}"
    whole = _asked(place, f"/lake/epma/download?of={_MAP}", Authorization=basic)
    part = _asked(place, f"/lake/epma/download?of={_MAP}", Authorization=basic, Range="bytes=1000-1999")
    assert whole[0] == 200
    assert part == (206, whole[1][1000:2000])


def test_the_figures_of_the_server_stay_on_its_side(behind: tuple[str, str]) -> None:
    address, inner = behind
    basic = f"Basic {b64encode(b'curie:radium').decode()}"
    assert _asked(urlsplit(address).netloc, "/lake/metrics", Authorization=basic)[0] == 404
    status, figures = _asked(urlsplit(inner).netloc or inner, "/metrics")
    assert status == 200
    assert b"sxeslake_http_requests_total" in figures


def test_the_example_is_that_of_the_documentation() -> None:
    page = (_EXAMPLE.parents[1] / "docs" / "howto" / "browser.md").read_text(encoding="utf-8")
    assert "infra/nginx-lake.conf" in page
    lines = [line.split("#")[0].strip() for line in _EXAMPLE.read_text(encoding="utf-8").splitlines()]
    for word in ("proxy_set_header   Host $host;", "proxy_set_header   X-Remote-User $remote_user;"):
        assert word in lines


def test_the_json_twin_below_a_prefix(behind: tuple[str, str]) -> None:
    address, _ = behind
    basic = f"Basic {b64encode(b'curie:radium').decode()}"
    status, body = _asked(urlsplit(address).netloc, "/lake/epma/find.json?kv=5", Authorization=basic)
    assert status == 200
    assert json.loads(body)["total"] >= 1
