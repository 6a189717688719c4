"""`python -m sxeslake` is the command `sxeslake`."""

from __future__ import annotations

from sxeslake.cli import program

if __name__ == "__main__":
    program()
