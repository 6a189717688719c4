"""What every request passes: methods, hosts, prefixes, users; and the headers of every answer."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from sxeslake.errors import UsageError
from sxeslake.lake import Lake
from sxeslake.web.app import create_app
from sxeslake.web.options import ServeOptions, host_name


def client_of(lake: Lake, options: ServeOptions, host: str = "localhost", caller: str = "127.0.0.1") -> TestClient:
    return TestClient(
        create_app({"epma": lake}, options), base_url=f"http://{host}", client=(caller, 50000), follow_redirects=False
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/epma/find", "/static/sxeslake.css"])
def test_nothing_but_get_and_head_is_answered(lake: Lake, method: str, path: str) -> None:
    answer = client_of(lake, ServeOptions()).request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path", ["/", "/epma/find", "/epma/nothing", "/epma/archive?of=nothing", "/static/sxeslake.css", "/epma/find.json"]
)
def test_every_answer_has_the_headers_that_keep_a_browser_safe(lake: Lake, path: str) -> None:
    headers = client_of(lake, ServeOptions()).get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("host", ["localhost", "localhost:8321", "127.0.0.1:1", "[::1]:8321", "LAB.example.org"])
def test_known_hosts_are_answered(lake: Lake, host: str) -> None:
    asked = client_of(lake, ServeOptions(hosts=("lab.example.org",)))
    assert asked.get("/epma/questions", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "", "lab.example.org"])
def test_unknown_hosts_are_refused(lake: Lake, host: str) -> None:
    answer = client_of(lake, ServeOptions()).get("/epma/find", headers={"Host": host})
    assert answer.status_code == 421
    assert "--allow-host" in answer.text


def test_host_names_are_told_from_ports() -> None:
    assert [host_name(each) for each in ("A:80", "[::1]:80", "::1", "a")] == ["a", "::1", "::1", "a"]


@pytest.mark.parametrize("path", ["/lake/epma/find", "/epma/find"])
def test_a_prefix_is_removed_whether_the_proxy_did_it_or_not(lake: Lake, path: str) -> None:
    asked = client_of(lake, ServeOptions(prefix="/lake"))
    assert asked.get(path).status_code == 200
    assert asked.get("/lake").headers["location"] == "lake/"
    assert asked.get("/lake/").headers["location"] == "epma/find"
    assert asked.get("/lake/static/sxeslake.css").status_code == 200
    assert asked.get("/lakes/epma/find").status_code == 404


def test_a_user_counts_only_from_the_trusted_proxy(lake: Lake) -> None:
    options = ServeOptions(trust_header="X-Remote-User", trusted_proxies=("10.1.0.0/16",))
    header = {"X-Remote-User": "curie"}
    assert "curie" in client_of(lake, options, caller="10.1.2.3").get("/epma/questions", headers=header).text
    assert "curie" not in client_of(lake, options, caller="10.2.2.3").get("/epma/questions", headers=header).text
    assert "curie" not in client_of(lake, ServeOptions(), caller="10.1.2.3").get("/epma/questions", headers=header).text


@pytest.mark.parametrize(
    "words",
    [
        {"prefix": "lake"}, {"prefix": "/lake/"}, {"trust_header": "X-User"}, {"trusted_proxies": ("127.0.0.1",)},
        {"trust_header": "X-User", "trusted_proxies": ("proxy",)},
    ],
)  # fmt: skip
def test_options_that_cannot_be_meant_are_refused(words: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        ServeOptions(**words)  # type: ignore[arg-type]


def test_several_lakes_stand_side_by_side(lake: Lake) -> None:
    asked = TestClient(create_app({"Own lake": lake, "own-lake": lake}), base_url="http://localhost")
    assert asked.get("/", headers={"Accept": "application/json"}).json()["lakes"] == [
        {"slug": "own-lake", "title": "Own lake"}, {"slug": "own-lake-2", "title": "own-lake"},
    ]  # fmt: skip
    assert 'href="own-lake-2/find"' in asked.get("/").text
    assert asked.get("/own-lake-2/questions").status_code == 200
