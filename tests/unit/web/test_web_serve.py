"""The command `serve`: says where, serves, and ends in good order when it is asked to."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pytest

import sxeslake
from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.cli.json_schemas import SCHEMAS
from sxeslake.cli.run import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("own")
    archives = synthetic_facility(made / "archives", nx=3, ny=2)
    with sxeslake.init(str(made / "epma")) as lake:
        lake.ingest(archives[0])
    with sxeslake.init(str(made / "other")):
        pass
    return made


@contextmanager
def serving(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and the first line that it prints."""
    command = [sys.executable, "-m", "sxeslake", "serve", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_asked_to_end(folder: Path, asked: signal.Signals) -> None:
    with serving("--lake", str(folder / "epma"), "-v") as (process, line):
        found = re.fullmatch(r"Open (http://127\.0\.0\.1:\d+/) in a browser\. Ctrl-C ends\.\n", line)
        assert found, line
        with urllib.request.urlopen(f"{found[1]}epma/find.json?kv=5", timeout=30) as answer:
            assert json.load(answer)["total"] == 1
        process.send_signal(asked)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
        assert "GET /epma/find.json 200" in errors
        assert "Traceback" not in errors


def test_it_tells_programs_where_it_is_and_shows_several_lakes(folder: Path) -> None:
    words = ("--lake", str(folder / "epma"), "--lake", str(folder / "other"), "--prefix", "/lakes", "--json")
    with serving(*words) as (process, first):
        assert process.stdout is not None
        text = first
        while not text.rstrip().endswith("\n}"):
            text += process.stdout.readline()
        told = json.loads(text)
        jsonschema.validate(told, SCHEMAS["serve"], jsonschema.Draft202012Validator)
        assert told["lakes"] == ["epma", "other"]
        assert told["url"].endswith("/lakes/")
        request = urllib.request.Request(told["url"], headers={"Accept": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert [each["slug"] for each in json.load(answer)["lakes"]] == ["epma", "other"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--trust-header", "X-User"), 2, "--trusted-proxy"),
        (("--prefix", "lake"), 2, "/lake"),
        (("--host", "no.such.host.invalid"), 2, "--host"),
        (("--host", "192.0.2.1"), 6, "--port"),
    ],
)
def test_what_cannot_be_served_is_said_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, told: str
) -> None:
    assert run(["serve", "--lake", str(folder / "epma"), *words]) == code
    assert told in capsys.readouterr().err


def test_a_missing_extra_is_named_with_its_install_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run(["serve", "--lake", str(folder / "epma")]) == 2
    assert 'pip install "sxeslake[web]"' in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_the_demo_is_served_with_a_standard_to_compare_with() -> None:
    command = [sys.executable, "-m", "sxeslake", "demo", "--serve", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            text = process.stdout.readline()
            while not text.endswith("\n}\n"):
                text += process.stdout.readline()
            told = json.loads(text)
            jsonschema.validate(told, SCHEMAS["demo"], jsonschema.Draft202012Validator)
            words = urllib.parse.urlencode({"p": "2019/chalcopyrite map@1:5", "standards": "1"})
            with urllib.request.urlopen(f"{told['url']}demo/compare.json?{words}", timeout=30) as answer:
                assert [each["material"] for each in json.load(answer)["compared"]] == ["CuFeS2"]
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
            assert process.returncode == 0
        finally:
            process.kill()
