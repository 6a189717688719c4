"""Puts the documentation into the wheel: the pages in `build/docs`, where `make docs` has built them.

`serve` shows them under `/help`. A wheel that is built without them works, and says there how to build them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LEFT_OUT = (".doctrees", ".buildinfo", "_sources")
"""What Sphinx keeps for itself."""
MAPS = ".map"
"""Source maps of the theme's scripts, which only its developers read."""


class HelpPages(BuildHookInterface[Any]):
    """The hook that hatchling calls."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add each page; an editable install reads them where they are."""
        built = Path(self.root) / "build" / "docs"
        if version == "editable":
            return
        if not (built / "index.html").is_file():
            self.app.display_warning("The wheel has no documentation: build/docs is missing; `make docs` builds it.")
            return
        for path in sorted(built.rglob("*")):
            inside = path.relative_to(built)
            if path.is_file() and not set(inside.parts) & set(LEFT_OUT) and path.suffix != MAPS:
                build_data["force_include"][str(path)] = f"sxeslake/help/{inside.as_posix()}"
