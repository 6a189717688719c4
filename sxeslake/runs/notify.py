"""Tell somebody that a run failed: JSON to a URL, or to a command's standard input.

It tells whether that worked, and never raises: no work fails for its notice.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from sxeslake.errors import UsageError
from sxeslake.runs.record import RunRecord
from sxeslake.version import __version__

_LOG = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
"""Of one request, whatever it waits for."""
COMMAND_S: Final = 60.0
"""A command that takes longer is ended."""
TOTAL_S: Final = 90.0
"""Nothing is waited for longer."""
_WAITS_S: Final = (1.0, 3.0)
"""Before each further attempt."""
_LONGEST_WORD: Final = 300


def check(where: str) -> str:
    """What a notice goes to, as it was given; UsageError for what is neither URL nor command."""
    if not where.strip():
        raise UsageError("write a URL (https://…) or a command.", where="--notify")
    if _is_url(where):
        try:
            parts = urlsplit(where.strip())
            is_whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            is_whole = False
        if not is_whole:
            raise UsageError("this URL names no host, or its port cannot be read.", where="--notify")
    elif "://" in where.partition(" ")[0]:
        raise UsageError("a URL here begins with https:// or http://.", where="--notify")
    else:
        try:
            shlex.split(where)
        except ValueError as error:
            raise UsageError(f"this command cannot be read: {error}.", where="--notify") from None
    return where.strip()


def shown_place(where: str) -> str:
    """Where notices go, for people: of a URL scheme and host, for whoever knows the rest can send some."""
    if not _is_url(where):
        return where.strip()
    parts = urlsplit(where.strip())
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"


def run_failed(record: RunRecord) -> dict[str, Any]:
    """The document of a failed run: its record, and one line of words under `text`, which chat services show."""
    said = f": {record.messages[-1]}" if record.messages else "."
    to = "" if record.target is None else f" to {record.target}"
    text = (
        f"sxeslake {record.command} of {record.lake}{to} failed on {record.host} (exit code {record.exit_code}){said}"
    )
    return {"event": "run_failed", "text": text, **msgspec.to_builtins(record)}


def send(where: str, document: Mapping[str, Any], *, waits_s: tuple[float, ...] = _WAITS_S) -> str | None:
    """Send a document; None where it arrived, else why not, in words without secrets."""
    data = json.dumps(document).encode()
    found: list[str | None] = []

    def attempt() -> None:
        try:
            found.append(_posted(where.strip(), data, waits_s) if _is_url(where) else _piped(where, data))
        except Exception as error:  # whatever a library raises: the work is done, and its exit code stands
            _LOG.debug("the notice failed", exc_info=error)
            found.append(f"it failed: {type(error).__name__}")

    # A server that answers a byte at a time keeps each time limit, and never ends.
    sender = threading.Thread(target=attempt, daemon=True)
    sender.start()
    sender.join(TOTAL_S)
    return found[0] if found else f"it took more than {TOTAL_S:.0f} s"


def _is_url(where: str) -> bool:
    return where.strip().lower().startswith(("http://", "https://"))


# --- a URL -------------------------------------------------------------------------------------------------------


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An address that leads elsewhere would carry its secrets there."""

    def redirect_request(self, *_: object) -> None:
        return None


def _posted(url: str, data: bytes, waits_s: tuple[float, ...]) -> str | None:
    place, headers = _parted(url)
    opener = urllib.request.build_opener(_NoRedirect)
    why = ""
    for wait_s in (*waits_s, None):
        request = urllib.request.Request(place, data, headers, method="POST")
        try:
            with opener.open(request, timeout=TIMEOUT_S) as answer:
                _LOG.info("the notice was taken: status %d", answer.status)
                return None
        except urllib.error.HTTPError as error:
            error.close()
            why = f"the server answered {error.code}"
            if error.code < 500 and error.code != 429:
                return why
        except Exception as error:  # whatever a broken server sends: no notice changes how a run ends
            reason = getattr(error, "reason", error)
            why = f"cannot be reached: {getattr(reason, 'strerror', None) or reason or type(error).__name__}"
        if wait_s is not None:
            time.sleep(wait_s)
    return f"{why}, {len(waits_s) + 1} times"


def _parted(url: str) -> tuple[str, dict[str, str]]:
    """The URL without user and password, and the headers, in which these go."""
    parts = urlsplit(url)
    headers = {"Content-Type": "application/json", "User-Agent": f"sxeslake/{__version__}"}
    userinfo, at, host = parts.netloc.rpartition("@")
    if at:
        user, _, password = userinfo.partition(":")
        word = f"{unquote(user)}:{unquote(password)}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(word).decode()
    return urlunsplit((parts.scheme, host, parts.path, parts.query, "")), headers


# --- a command ---------------------------------------------------------------------------------------------------


def _piped(command: str, data: bytes, limit_s: float | None = None) -> str | None:
    """Run a command without a shell, the document on its standard input."""
    limit_s = COMMAND_S if limit_s is None else limit_s
    words = shlex.split(command, posix=sys.platform != "win32")
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        return f"the command cannot be run: {error.strerror}"
    try:
        _, said = process.communicate(data, timeout=limit_s)
    except subprocess.TimeoutExpired:
        _end(process)
        return f"the command took more than {limit_s:.0f} s"
    except BaseException:
        _end(process)
        raise
    if process.returncode == 0:
        return None
    words_said = said.decode("utf-8", "replace").strip().splitlines()
    last = f": {words_said[-1][:_LONGEST_WORD]}" if words_said else ""
    return f"the command ended with exit code {process.returncode}{last}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Also what the command has started: it is in a session of its own."""
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdin, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    process.wait()
