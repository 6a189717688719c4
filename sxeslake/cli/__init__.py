"""The command line: parse, call `Lake`, render. One file a command, one line in `root.SECTIONS`."""

from __future__ import annotations

from sxeslake.cli.run import main, program, run

__all__ = ["main", "program", "run"]
