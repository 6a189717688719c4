"""Completion inserts names of archives, which come from anywhere: nothing in them runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from sxeslake.cli.app import App
from sxeslake.cli.root import root

NAMES = [
    "map$(touch PWNED)",
    "a`touch PWNED`",
    "two words",
    "semi;touch PWNED",
    "quote'\"",
    "back\\slash",
    "*",
    "plain/x@1",
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_what_bash_inserts_is_one_word_that_means_the_name(tmp_path: Path) -> None:
    script = CliRunner().invoke(root, ["completion", "bash"], obj=App(quiet=True)).stdout
    lines = "".join(f"plain,{name}\n" for name in NAMES)
    (tmp_path / "answer").write_text(lines)
    (tmp_path / "sx").write_text(f"#!/bin/sh\ncat {tmp_path}/answer\n")
    (tmp_path / "sx").chmod(0o755)
    asked = (
        f"{script}\nCOMP_WORDS=(sxeslake show ''); COMP_CWORD=2\n_sxeslake_completion {tmp_path}/sx\n"
        """for word in "${COMPREPLY[@]}"; do eval "printf '%s\\n' $word"; done"""
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", asked], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=20
    )
    assert done.stdout.splitlines() == NAMES
    assert not (tmp_path / "PWNED").exists()
