"""The documentation, served: the pages that the wheel brings, or those that `make docs` has built in a checkout.

Sphinx writes a few small scripts and styles into its pages. The policy of these pages, and of no other, allows styles,
and of scripts those of this server and the ones that stand in the page, each by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.staticfiles import StaticFiles

from sxeslake.web.failures import FailureText

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_PACKAGE: Final = Path(__file__).parents[1]
_INLINE: Final = re.compile(rb"<script(?![^>]*\bsrc\s*=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_POLICY: Final = (
    "default-src 'self'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)


def help_folder() -> Path | None:
    """Where the pages are: in the package, else in a checkout's `build/docs`; None where nobody has built them."""
    for folder in (_PACKAGE / "help", _PACKAGE.parent / "build" / "docs"):
        if (folder / "index.html").is_file():
            return folder
    return None


def not_built() -> FailureText:
    """What `/help` says where there are no pages."""
    return FailureText(
        404,
        "Help is not installed",
        "This installation has no documentation pages.",
        "In a checkout, `make docs` builds them. On the command line, `help tasks` explains the commands.",
    )


class HelpPages:
    """The pages of one folder."""

    def __init__(self, folder: Path) -> None:
        self._files = StaticFiles(directory=folder)

    async def get(self, request: Request, path: str) -> Response:
        """One file; of a folder its index. An HTTPException where there is none."""
        path = f"{path}index.html" if not path or path.endswith("/") else path
        response = await self._files.get_response(path, request.scope)
        response.headers["Cache-Control"] = "no-cache"
        file, found = self._files.lookup_path(path)
        if path.endswith(".html") and found is not None:  # a 304 has it, too: its headers replace those of the page
            response.headers["Content-Security-Policy"] = page_policy(Path(file), found.st_mtime_ns)
        return response


@lru_cache(maxsize=512)
def page_policy(file: Path, changed_ns: int) -> str:  # noqa: ARG001 - another time is another page
    """The Content-Security-Policy of a page: its own inline scripts are allowed by their hashes."""
    hashes = dict.fromkeys(_source(script) for script in _INLINE.findall(file.read_bytes()) if script.strip())
    return _POLICY.format(scripts="".join(f" {each}" for each in hashes))


def _source(script: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
