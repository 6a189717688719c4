"""What the package logs, on stderr: warnings always, decisions under -v, requests under -vv; never secrets."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from sxeslake.cli.app import App

PACKAGE = "sxeslake"

_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?::[^@\s]*)?@")
_QUERY = re.compile(r"(?<=://)([^\s?#]+)\?[^\s=&]+=[^\s\"'`]*")
"""Of a URL; that of a presigned one opens the object for everybody."""
_SECRET_VARIABLES = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_CLIENT_SECRET", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_SAS_TOKEN",
)  # fmt: skip
_SHORTEST_SECRET = 4  # shorter values hide nothing and would black out ordinary words


@contextmanager
def logging_to_stderr(app: App) -> Iterator[None]:
    """While a command runs, print what the package logs; `show` decides how much."""
    log, handler = logging.getLogger(PACKAGE), _Lines(app)
    level = log.level
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def show(verbose: int) -> None:
    """Log decisions (1: -v) or requests too (2: -vv)."""
    logging.getLogger(PACKAGE).setLevel(logging.INFO if verbose == 1 else logging.DEBUG)


class _Lines(logging.Handler):
    """`sxeslake: …` for a warning, `info   0.120 s  vault.log.commit: …` for the rest."""

    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app

    def emit(self, record: logging.LogRecord) -> None:
        text = scrub(self.format(record), self._app)
        if record.levelno >= logging.WARNING:
            self._app.complain(f"sxeslake: {text}")
        else:
            level, module = record.levelname.lower(), record.name.removeprefix(f"{PACKAGE}.")
            self._app.complain(f"{level:<5}  {record.relativeCreated / 1000:.3f} s  {module}: {text}")


def scrub(text: str, app: App) -> str:
    """The text without the secrets of this call: option values, passwords and queries of URLs, AWS variables."""
    options = [app.storage_options, *app.other_options]
    secrets = [value for each in options for key, value in each.items() if _hides(key)]
    secrets += [os.environ.get(name, "") for name in _SECRET_VARIABLES]
    if app.word and (found := _USERINFO.search(app.word)):
        secrets += found[0].rstrip("@").split(":")
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return _QUERY.sub(r"\1?***", _USERINFO.sub("***@", text))


def _hides(option: str) -> bool:
    from sxeslake.settings import is_secret  # noqa: PLC0415  (only an error needs it; start-up time of --help)

    return is_secret(option)
