"""From arguments to an exit code: every error becomes one line, in `--json` also a document.

0 done · 1 unexpected · 2 usage · 3 not found · 4 unacceptable input · 5 damaged lake · 6 storage unreachable or
refused · 7 exists or conflict · 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import NoReturn, TextIO

import click

from ..errors import SxeslakeError
from .app import App
from .root import PIPE_CLOSED, drop_output, root

UNEXPECTED = 1
USAGE = 2
INTERRUPTED = 130

_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?::[^@\s]*)?@")
_SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_SHORTEST_SECRET = 4  # shorter values hide nothing and would black out ordinary words


def main() -> NoReturn:
    """The entry point of the command `sxeslake`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A name that the terminal's encoding lacks must not end a listing.
            stream.reconfigure(errors="backslashreplace")
    if not {"-v", "--verbose"} & set(sys.argv):
        warnings.simplefilter("ignore")  # a library's deprecation is no word to users
    sys.exit(run(sys.argv[1:]))


def run(args: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    app = App()
    app.as_json = "--json" in args  # known before parsing, so that also a usage error is a document
    try:
        outcome = root.main(args=list(args), prog_name="sxeslake", standalone_mode=False, obj=app)
        sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt):
        return _fail(app, "Interrupted", "Interrupted.", INTERRUPTED)
    except BrokenPipeError:
        drop_output()
        return PIPE_CLOSED
    except click.ClickException as error:
        return _usage(app, error)
    except SxeslakeError as error:
        return _fail(app, type(error).__name__, str(error), error.exit_code)
    except Exception as error:
        words = f"Unexpected {type(error).__name__}: {error}" if str(error) else f"Unexpected {type(error).__name__}."
        hint = "" if app.verbose else " (-v shows where it came from)"
        return _fail(app, type(error).__name__, words + hint, UNEXPECTED)
    return outcome if isinstance(outcome, int) else 0


def _usage(app: App, error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    hint = f" See: {context.command_path} --help" if context is not None else ""
    return _fail(app, "UsageError", error.format_message() + hint, USAGE)


def _fail(app: App, kind: str, message: str, code: int) -> int:
    """Say what went wrong, without secrets; under -v, where it came from."""
    if app.verbose and sys.exc_info()[0] is not None and code != INTERRUPTED:
        _write(sys.stderr, scrub(traceback.format_exc().rstrip(), app))
    message = scrub(message, app)
    _write(sys.stderr, f"sxeslake: {message}")
    if app.as_json:
        app.emit({"error": {"kind": kind, "message": message, "exit_code": code}})
    return code


def _write(stream: TextIO, text: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody reads the errors either
        print(text, file=stream, flush=True)


def scrub(text: str, app: App) -> str:
    """The text without the secrets of this call: option values, URL passwords, AWS variables."""
    secrets = [value for key, value in app.storage_options.items() if _hides(key)]
    secrets += [os.environ.get(name, "") for name in _SECRET_VARIABLES]
    if app.word and (found := _USERINFO.search(app.word)):
        secrets += found[0].rstrip("@").split(":")
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return _USERINFO.sub("***@", text)


def _hides(option: str) -> bool:
    from ..settings import is_secret  # noqa: PLC0415  (only an error needs it; start-up time of --help)

    return is_secret(option)
