"""What the package logs: on stderr warnings, under -v decisions, under -vv requests; on wish as JSON, or in a file too.

Never secrets. A log that is kept, `--log-file` or `--log-format json`, also has the words for people, each a line.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sxeslake.cli.app import App, to_json
from sxeslake.text.safe import visible

PACKAGE = "sxeslake"
WORDS = "sxeslake.cli"
"""The logger's name of words for people."""

_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?::[^@\s]*)?@")
_QUERY = re.compile(r"(?<=://)([^\s?#]+)\?[^\s=&]+=[^\s\"'`]*")
"""Of a URL; that of a presigned one opens the object for everybody."""
_SECRET_VARIABLES = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_CLIENT_SECRET", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_SAS_TOKEN", "SXESLAKE_NOTIFY",
)  # fmt: skip
_SHORTEST_SECRET = 4  # shorter values hide nothing and would black out ordinary words


@contextmanager
def logging_to_stderr(app: App) -> Iterator[None]:
    """While a command runs, print what the package logs; `show` decides how much, `keep` where else it goes."""
    log, handler = logging.getLogger(PACKAGE), _Lines(app)
    level = log.level
    log.addHandler(handler)
    try:
        yield
    finally:
        for each in [each for each in log.handlers if isinstance(each, _OfCall) and each.app is app]:
            log.removeHandler(each)
            each.close()
        log.setLevel(level)


def show(app: App) -> None:
    """Log decisions (-v) or requests too (-vv), as the options say that came so far."""
    log = logging.getLogger(PACKAGE)
    wanted = (logging.WARNING, logging.INFO, logging.DEBUG)[min(app.verbose, 2)]
    levels = [wanted]
    for each in log.handlers:
        if isinstance(each, _OfCall) and each.app is app:
            # A log file is read after the event, so it has the decisions in any case.
            each.setLevel(min(wanted, logging.INFO) if isinstance(each, _Kept) else wanted)
            levels.append(each.level)
    if app.verbose or len(levels) > 2:
        log.setLevel(min(levels))


def keep(app: App) -> None:
    """Have the log go where `--log-format` and `--log-file` say; an error where the file cannot be opened."""
    log = logging.getLogger(PACKAGE)
    is_json = app.log_format == "json"
    if app.log is not None:
        log.removeHandler(app.log)
        app.log.close()
        app.log = None
    if app.log_file is not None:
        app.log = _Kept(app, _opened(app.log_file), as_json=is_json)
    elif is_json:
        app.log = _Kept(app, _Stderr(), as_json=True)
    for each in log.handlers:
        if isinstance(each, _Lines) and each.app is app:
            each.is_silent = is_json and app.log_file is None
    if app.log is not None:
        log.addHandler(app.log)
    show(app)


def _opened(name: str) -> logging.Handler:
    """A file to append to; where another program moves it away, a new one takes its place."""
    from logging.handlers import WatchedFileHandler  # noqa: PLC0415  (start-up time of --help, here and below)

    from sxeslake.disk.trouble import told  # noqa: PLC0415

    kind = logging.FileHandler if sys.platform == "win32" else WatchedFileHandler
    with told(Path(name)):
        return kind(name, encoding="utf-8", errors="backslashreplace")


class _OfCall(logging.Handler):
    """A handler that lives as long as a call of the command line."""

    def __init__(self, app: App) -> None:
        super().__init__()
        self.app = app


class _Lines(_OfCall):
    """`sxeslake: …` for a warning, `info   0.120 s  vault.log.commit: …` for the rest, on stderr."""

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.is_silent = False

    def emit(self, record: logging.LogRecord) -> None:
        if self.is_silent:
            return
        text = scrub(self.format(record), self.app)
        if record.levelno >= logging.WARNING:
            self.app.show_words(f"sxeslake: {text}")
        else:
            level, module = record.levelname.lower(), record.name.removeprefix(f"{PACKAGE}.")
            self.app.show_words(f"{level:<5}  {record.relativeCreated / 1000:.3f} s  {module}: {text}")


class _Stderr(logging.StreamHandler[Any]):
    """The stderr of now, which a test or a caller may have replaced."""

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, _: Any) -> None:
        pass


class _Kept(_OfCall):
    """A line a record, as JSON or as text, where it is kept: in a file, or by whatever reads stderr."""

    def __init__(self, app: App, out: logging.Handler, *, as_json: bool) -> None:
        super().__init__(app)
        self._out = out
        self._has_complained = False
        out.setFormatter(_Json(app) if as_json else _Text(app))
        out.handleError = self._complain  # type: ignore[method-assign]

    def emit(self, record: logging.LogRecord) -> None:
        self._out.handle(record)

    def close(self) -> None:
        with suppress(OSError):  # a full disk, which has been said
            self._out.close()
        super().close()

    def _complain(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - the words of `logging`
        """A full disk costs the log, not the work; it is said once."""
        if not self._has_complained:
            self._has_complained = True
            self.app.show_words(f"warning    the log cannot be written: {sys.exc_info()[1]}")


class _Json(logging.Formatter):
    """`{"time": …, "level": "info", "logger": …, "message": …, "command": …, "lake": …, "run": …}`."""

    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app

    def format(self, record: logging.LogRecord) -> str:
        run = self._app.run
        line: dict[str, Any] = {
            "time": _instant(record), "level": record.levelname.lower(), "logger": record.name,
            "message": scrub(record.getMessage(), self._app), "command": self._app.command,
            "lake": self._app.lake if run is None else run.record.lake, "run": self._app.run_id,
        }  # fmt: skip
        if trace := _trace(record):
            line["exception"] = scrub(trace, self._app)
        return to_json(line)


class _Text(logging.Formatter):
    """`2026-11-27T03:00:00.123Z info    verify 20261127T… vault.log.commit: …`, one line whatever is in it."""

    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if trace := _trace(record):
            text = f"{text}\n{trace}"
        module = record.name.removeprefix(f"{PACKAGE}.")
        said = visible(scrub(text, self._app))
        level = record.levelname.lower()
        return f"{_instant(record)} {level:<7} {self._app.command or '-'} {self._app.run_id} {module}: {said}"


def _instant(record: logging.LogRecord) -> str:
    time = datetime.fromtimestamp(record.created, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trace(record: logging.LogRecord) -> str:
    """Where an exception came from, if the record has one."""
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    return "".join(traceback.format_exception(*record.exc_info)).rstrip()


def scrub(text: str, app: App) -> str:
    """The text without the secrets of this call: option values, passwords and queries of URLs, AWS variables."""
    options = [app.storage_options, *app.other_options]
    secrets = [value for each in options for key, value in each.items() if _hides(key)]
    secrets += [os.environ.get(name, "") for name in _SECRET_VARIABLES]
    secrets.append(app.notify or "")
    for word in (app.word or "", *app.words):
        if found := _USERINFO.search(word):
            secrets += found[0].rstrip("@").split(":")
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return _QUERY.sub(r"\1?***", _USERINFO.sub("***@", text))


def _hides(option: str) -> bool:
    from sxeslake.settings import is_secret  # noqa: PLC0415  (only an error needs it; start-up time of --help)

    return is_secret(option)
