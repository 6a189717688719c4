"""Every command in a real window, 80×24 and 120×40: no line is wider than it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.cli.root import root
from sxeslake.lake import init
from sxeslake.text.table import width

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")

MAP = "2019/chalcopyrite map with a name that is longer than anybody would like to read in a table@1"
ALL = "all 試料"

COMMANDS: list[list[str]] = [
    ["ls"], ["ls", "--all-versions"], ["ls", "-l"], ["ls", MAP], ["ls", "nothing*"], ["ls", "no such sample at all"],
    ["show", MAP], ["show", MAP, "-v"], ["show", ALL], ["members", MAP], ["cat", MAP, "metadata.json"],
    ["stats"], ["stats", "-v"], ["log"], ["log", MAP], ["diff", MAP, "2021/standards"], ["diff", MAP, MAP],
    ["query"], ["query", "maps-by-beam-condition", "--kv", "5"], ["query", "maps-by-beam-condition", "--kv", "7"],
    ["query", "analyses-by-condition"], ["query", "positions-by-condition"], ["query", "by-operator"],
    ["query", "conditions-in-use"], ["query", "dedup-by-sample"], ["query", "facility-dedup"],
    ["query", "same-measurement-elsewhere"], ["query", "sessions-by-instrument"], ["query", "last-session"],
    ["query", "largest-samples"], ["query", "unreadable-metadata"], ["query", "standards-for-condition"],
    ["query", "saturated-or-odd", "--off", "0"], ["query", "drifting-current", "--drift", "0"],
    ["query", "positions-near", "--x", "3", "--y", "-1", "--radius", "9", "--sample", MAP],
    ["query", "--sql", "SELECT * FROM positions LIMIT 3"], ["query", "--sql", "SELECT nothing FROM positions"],
    ["query", "maps-by-beam-condition", "--columns", "analysis_uuid,comment,operator,project,session"],
    ["query", "maps-by-beam-condition", "--columns", "sample,analysis_uuid,comment,operator,project,instrument"],
    ["find", "chalcopyrite"], ["find", "nowhere", "to", "be", "found"], ["conditions"], ["conditions", "--kv", "7"],
    ["schema"], ["schema", "analyses"], ["schema", "no_such_table"],
    ["doctor"], ["verify"], ["verify", "--data"], ["verify", "-v"], ["audit", "archives"], ["exact", "--all"],
    ["ingest", "archives", "-v"], ["ingest", "archives", "--dry-run"], ["ingest", "no such file.plzip"],
    ["annotate", ALL, "role=standard", "note=" + "a long remark " * 12], ["annotate", ALL, "--position", "123", "a=b"],
    ["tag", MAP, "paper-2026"], ["hold", MAP], ["release", MAP], ["forget", ALL, "--dry-run"], ["forget", ALL, "--yes"],
    ["restore", ALL], ["gc", "--dry-run"], ["checkpoint"], ["catalog", "rebuild"], ["repair"], ["use"],
    ["pull", MAP, "-o", "out/"], ["pull", MAP, "-o", "out/"], ["sync", MAP, "out/"], ["pull", MAP, "--dry-run"],
    ["copy", "lake", "other", MAP], ["version"],
]  # fmt: skip
ELSEWHERE = [["demo", "--archive", "archives/2021/standards.pl7z"], ["init"]]
SILENT = {"completion", "help"}
"""A script for the shell; pages that are laid out for 80 columns."""

RUN_ALL = """
import sys, json, os
from sxeslake.cli.run import run
for words in json.loads(os.environ["WORDS"]):
    print("\\x1e" + " ".join(words), flush=True)
    run(words)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
"""


def in_window(columns: int, rows: int, commands: list[list[str]], folder: Path) -> dict[str, str]:
    """What each command writes on a terminal of that size."""

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")} | {
        "WORDS": json.dumps(commands), "TERM": "xterm", "SXESLAKE_CONFIG": str(folder / "settings"),
        "SXESLAKE_CACHE": str(folder / "cache"), "XDG_DATA_HOME": str(folder / "data"),
        "SXESLAKE_LAKE": str(folder / "lake"),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", RUN_ALL], stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=environment
    )
    os.close(slave)
    parts: list[bytes] = []
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        parts.append(data)
    os.close(master)
    assert process.wait() == 0
    text = b"".join(parts).decode().replace("\r\n", "\n")
    sections = text.split("\x1e")[1:]
    return {section.partition("\n")[0]: section.partition("\n")[2] for section in sections}


def lines(text: str) -> list[str]:
    """The lines that stand in the window in the end: a progress bar overwrites its own."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    return [line.rpartition("\r")[2] for line in plain.split("\n")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lake with long names, a generic archive with a wide name, and what stands around it."""
    made = synthetic_facility(tmp_path / "archives", nx=2, ny=2)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / ("試料" * 40 + ".txt")).write_text("one")
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(made[0], sample=MAP.removesuffix("@1"), message="a message that is as long as messages get " * 3)
        lake.ingest(tmp_path / "archives")
        lake.ingest(tmp_path / "notes", tree=True, sample=ALL)
    return tmp_path


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_no_line_is_wider_than_the_window(folder: Path, columns: int, rows: int) -> None:
    answers = in_window(columns, rows, [*COMMANDS, *ELSEWHERE], folder)
    assert len(answers) == len({" ".join(words) for words in [*COMMANDS, *ELSEWHERE]})
    wide = [
        f"`{words}`: {line!r}"
        for words, text in answers.items()
        for line in lines(text)
        if width(line) > columns and not words.startswith("cat ")
    ]
    assert wide == []
    assert [words for words, text in answers.items() if not text.strip() or "Unexpected" in text] == []
    maps = lines(answers["query maps-by-beam-condition --kv 5"])
    assert any("kV" in line for line in maps)
    assert not any(re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", line) for line in maps)


def test_every_command_was_tried() -> None:
    tried = {words[0] for words in [*COMMANDS, *ELSEWHERE]} | SILENT
    assert {name for name, command in root.commands.items() if not command.hidden} <= tried
