"""`python -m sxeslake` is the command `sxeslake`."""

from __future__ import annotations

from sxeslake.cli import main

if __name__ == "__main__":
    main()
