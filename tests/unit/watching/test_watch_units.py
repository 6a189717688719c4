"""The ready-made units of systemd and the task of Windows: valid, and of a command that sxeslake has."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import click
import pytest

from sxeslake.cli.app import App
from sxeslake.cli.root import root

UNITS = Path(__file__).parents[3] / "infra/watch"
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def parsed(arguments: list[str]) -> dict[str, object]:
    """What `watch` understands of a command line."""
    assert arguments[:2] == ["--quiet", "watch"]
    with click.Context(root, info_name="sxeslake", obj=App()) as context:
        command = root.get_command(context, "watch")
        assert command is not None
        return dict(command.make_context("watch", arguments[2:], parent=context).params)


def environment() -> dict[str, str]:
    """The settings of `watch.env`."""
    lines = (UNITS / "watch.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize(("unit", "once"), [("sxeslake-watch.service", False), ("sxeslake-watch-once.service", True)])
def test_the_services_call_watch(unit: str, once: bool) -> None:
    text = (UNITS / unit).read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("ExecStart=")).removeprefix("ExecStart=")
    known = environment()
    for name, value in known.items():
        line = line.replace(f"${name}", value)
    program, *arguments = shlex.split(line)
    assert program.endswith("/sxeslake")
    found = parsed(arguments)
    assert (found["folders"], found["once"]) == (("/mnt/epma-share",), once)
    assert (found["every_s"], found["settle_s"]) == (60.0, 120.0)
    assert "Nice=10\nIOSchedulingClass=idle\n" in text
    assert ("Restart=on-failure" in text) is not once


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    names = sorted(path.name for path in UNITS.iterdir() if path.suffix in (".service", ".timer"))
    assert names == ["sxeslake-watch-once.service", "sxeslake-watch.service", "sxeslake-watch.timer"]
    for name in names:
        text = (UNITS / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/usr/local/bin/sxeslake", sys.executable), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *[str(tmp_path / name) for name in names]],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    # Words about other units of the machine are not about these.
    assert [line for line in done.stderr.splitlines() if "sxeslake" in line] == []
    assert done.returncode == 0, done.stderr


def test_the_task_of_windows_calls_watch() -> None:
    data = (UNITS / "sxeslake-watch.xml").read_bytes()
    assert data.startswith(b"\xff\xfe")  # UTF-16, as the declaration says and the Task Scheduler exports
    task = ET.fromstring(data)
    assert task.tag == f"{TASK}Task"
    texts = {each.tag.removeprefix(TASK): (each.text or "").strip() for each in task.iter()}
    assert texts["Command"].endswith("\\sxeslake.exe")
    found = parsed(shlex.split(texts["Arguments"]))
    assert (found["folders"], found["once"], found["settle_s"]) == (("D:\\EPMA data",), True, 120.0)
    assert (texts["Priority"], texts["MultipleInstancesPolicy"], texts["Interval"]) == ("8", "IgnoreNew", "PT10M")
