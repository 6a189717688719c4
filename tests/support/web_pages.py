"""The web page in a process of its own, and a real browser that reaches nothing but this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

_HOSTS = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
_SERIOUS = ("serious", "critical")


@contextmanager
def served(*words: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address that `sxeslake … --json` prints, while it serves."""
    command = [sys.executable, "-m", "sxeslake", *words, "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **(env or {})}
    ) as process:
        try:
            assert process.stdout is not None
            text = ""
            while not text.endswith("\n}\n"):
                line = process.stdout.readline()
                assert line, f"the server ended: {text}"
                text += line
            yield str(json.loads(text)["url"])
        finally:
            process.terminate()
            process.wait(20)


def chromium() -> str:
    """Debian's Chromium; the test is skipped where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Headless Chromium to which no name but those of this machine leads anywhere."""
    program = chromium()
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", f"--host-resolver-rules={_HOSTS}", "--no-proxy-server"]
        )
        try:
            yield started
        finally:
            started.close()


@dataclass
class Visitor:
    """A page of a browser and what it did: requests to other hosts, errors on its console, answers of failure."""

    page: Page
    base: str
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen from the start."""
        self.page.on("console", lambda said: self._console(said.type, said.text))
        self.page.on("pageerror", lambda error: self.told.append(str(error)))
        self.page.on("request", lambda asked: self._asked(asked.url))
        self.page.on("dialog", self._dialog)

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.told.append(text)

    def _asked(self, url: str) -> None:
        if urlsplit(url).netloc not in (urlsplit(self.base).netloc, ""):
            self.told.append(f"asked {url}")

    def _dialog(self, dialog: Dialog) -> None:
        self.told.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def go(self, address: str) -> None:
        """Open an address of the lake and wait until it is quiet."""
        self.page.goto(self.base + address)
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is loaded any more."""
        self.page.wait_for_load_state("networkidle")

    def until(self, expression: str, seconds: float = 20) -> Any:
        """Ask until it is true: `wait_for_function` needs an eval that the page's policy forbids."""
        from playwright.sync_api import Error  # noqa: PLC0415 - not everywhere

        end = time.monotonic() + seconds
        while True:
            try:
                if found := self.page.evaluate(f"() => {expression}"):
                    return found
            except Error as error:
                if "navigation" not in str(error):  # the page that was asked is left just now
                    raise
            assert time.monotonic() < end, f"never true: {expression}"
            self.page.wait_for_timeout(50)

    def faults(self) -> list[str]:
        """What axe finds of serious faults for people who cannot see or point."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")
        found = axe.Axe().run(self.page).response["violations"]
        return [
            f"{each['id']} ({each['impact']}): {each['help']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
            for each in found if each["impact"] in _SERIOUS
        ]  # fmt: skip


@contextmanager
def visitor(of: Browser, base: str, **options: Any) -> Iterator[Visitor]:
    """A fresh visitor of a lake; at the end it has asked no other host, and no error was told."""
    context = of.new_context(viewport=options.pop("viewport", {"width": 1280, "height": 900}), **options)
    try:
        found = Visitor(context.new_page(), base)
        yield found
        assert not found.told, found.told
    finally:
        context.close()
