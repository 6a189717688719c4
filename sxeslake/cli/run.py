"""From arguments to an exit code: every error becomes one line, in `--json` also a document.

0 done · 1 unexpected · 2 usage · 3 not found · 4 unacceptable input · 5 damaged lake · 6 storage unreachable or
refused · 7 exists or conflict · 130 interrupted.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import logging
import os
import re
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Sequence
from typing import NoReturn, TextIO

import click

from sxeslake.cli.app import App
from sxeslake.cli.ending import interrupt
from sxeslake.cli.logs import logging_to_stderr, scrub
from sxeslake.cli.recording import end
from sxeslake.cli.root import root
from sxeslake.errors import StorageError, SxeslakeError
from sxeslake.machine.processes import start_lightly
from sxeslake.text.safe import visible, visible_lines
from sxeslake.text.table import folded_text, terminal_width
from sxeslake.text.wording import as_typed

PROGRAM = "sxeslake"
COMPLETION_VARIABLE = "_SXESLAKE_COMPLETE"

UNEXPECTED = 1
USAGE = 2
INTERRUPTED = 130
PIPE_CLOSED = 141
"""What a shell reports of a program that wrote into a closed pipe, as in `sxeslake ls | head`."""

_OTHER_ENDS_S = 2.0
_VERBOSE = re.compile("-v+|--verbose")


def program() -> NoReturn:
    """The command `sxeslake`: `main`, without taking the interpreter apart in the end, which takes 40 ms of a query."""
    try:
        main()
    except SystemExit as leaving:
        if threading.active_count() > 1 or sys.getprofile() is not None or not isinstance(leaving.code, int):
            raise  # a thread is at work, or a profiler: the interpreter waits for these
        atexit._run_exitfuncs()
        _end_now(leaving.code)


def main() -> NoReturn:
    """Run the command line of this process; SystemExit with its exit code."""
    start_lightly()
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A name that the terminal's encoding lacks must not end a listing.
            stream.reconfigure(errors="backslashreplace")
    if not any(map(_VERBOSE.fullmatch, sys.argv)):
        warnings.simplefilter("ignore")  # a library's deprecation is no word to users
    plain = warnings.formatwarning
    warnings.formatwarning = lambda *words, **more: visible_lines(plain(*words, **more))
    _end_tidily()
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # a second signal, while the first is answered
        code = INTERRUPTED
    try:
        sys.stderr.flush()
    except OSError:  # words that found no room; the exit code is that of the work
        _give_up(2)
    if code == INTERRUPTED:
        # All is cleaned up by now; the interpreter would still wait for threads amid a block of LZMA.
        _end_now(code)
    sys.exit(code)


def leave_interrupted(app: App) -> None:
    """End the program from another thread, where the main thread does not come to it; nothing is cleaned up."""
    code = interrupted(app)
    end(app, code)
    _end_now(code)


def _end_now(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _open_closed_streams() -> None:
    """Lead what the caller closed (`>&-`) to nowhere: else the next file that is opened takes its place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            while os.open(os.devnull, os.O_RDWR) < number:  # the lowest free number, so this one in the end
                pass
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False))


def _end_tidily() -> None:
    """Whatever asks the program to end, a scheduler or a closed terminal, ends it as Ctrl-C does."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        asked = getattr(signal, name, None)
        # `nohup` wants to be asked in vain.
        if asked is not None and signal.getsignal(asked) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(asked, interrupt)


def run(args: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    app = App()
    app.arguments = list(args)
    app.as_json = "--json" in args  # known before parsing, so that also a usage error is a document
    with as_typed(), logging_to_stderr(app):
        code = _run(app, args)
        end(app, code)
        app.log_words(f"{app.command or PROGRAM} ended with exit code {code}", logging.INFO)
        return code


def _run(app: App, args: Sequence[str]) -> int:
    try:
        if COMPLETION_VARIABLE in os.environ:  # a shell asks for completions
            from sxeslake.cli.completion.answer import respond  # noqa: PLC0415  (only for this)

            return respond(os.environ[COMPLETION_VARIABLE], PROGRAM, args)
        with root.make_context(PROGRAM, list(args), obj=app) as context:
            outcome = root.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except (click.Abort, KeyboardInterrupt):
        return interrupted(app)
    except BrokenPipeError:
        return _pipe_closed()
    except Exception as error:  # the last line of defence: whatever it is becomes one line and an exit code
        return _failed(app, error)
    return outcome if isinstance(outcome, int) else 0


def interrupted(app: App) -> int:
    """Say, once, that the work was interrupted, what of it is kept, and how to go on."""
    if app.says_end.acquire(blocking=False):
        kept = "" if app.kept is None else f" {app.kept()}"
        _fail(app, "Interrupted", f"Interrupted.{kept}", INTERRUPTED)
    else:
        time.sleep(_OTHER_ENDS_S)  # another thread is at it, and ends the program
    return INTERRUPTED


def _failed(app: App, error: Exception) -> int:
    if isinstance(error, click.ClickException):
        return _usage(app, error)
    if isinstance(error, OSError):
        error = _of_its_kind(error)
    kind = type(error).__name__
    if isinstance(error, SxeslakeError):
        return _fail(app, kind, str(error), error.exit_code, has_lines=error.has_lines)
    hint = "" if app.verbose else " (-v shows where it came from)"
    return _fail(app, kind, f"Unexpected {kind}{f': {error}' if str(error) else '.'}{hint}", UNEXPECTED)


def _of_its_kind(error: OSError) -> Exception:
    """A failure of the disk that nothing below named: most likely that of the file to which stdout is redirected."""
    from sxeslake.disk.trouble import FULL  # noqa: PLC0415  (only an error needs it)

    where = error.filename if isinstance(error.filename, str) else "stdout"
    if error.errno in FULL:
        hint = "Free some space and run the same again."
        return StorageError("the disk or quota is full.", where=where, hint=hint)
    if error.errno == errno.EIO:
        return StorageError(f"cannot be written: {error.strerror}.", where=where)
    return error


def _pipe_closed() -> int:
    """Nobody reads stdout any more."""
    _give_up(1)
    return PIPE_CLOSED


def _give_up(number: int) -> None:
    """Keep the interpreter from complaining when it flushes, at the end, what a stream could not take."""
    with contextlib.suppress(OSError):  # a stream without a descriptor has nothing to flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _usage(app: App, error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    hint = f" See: {context.command_path} --help" if context is not None else ""
    return _fail(app, "UsageError", error.format_message() + hint, USAGE, has_lines=True)


def _fail(app: App, kind: str, message: str, code: int, *, has_lines: bool = False) -> int:
    """Say what went wrong, without secrets; under -v, where it came from.

    A name in the message cannot steer the terminal. Further lines are indented: none looks like a message of its own.
    """
    app.log_words(message, logging.ERROR, trace=code == UNEXPECTED or (app.verbose > 0 and code != INTERRUPTED))
    if app.logs_to_stderr:
        app.failure = scrub(message, app)
        return _document(app, kind, app.failure, code)
    if app.verbose and sys.exc_info()[0] is not None and code != INTERRUPTED:
        _write(sys.stderr, visible_lines(scrub(traceback.format_exc().rstrip(), app)))
    message = app.failure = scrub(message, app)
    said = visible_lines(message).replace("\n", "\n  ") if has_lines else visible(message)
    _write(sys.stderr, folded_text(f"sxeslake: {said}", terminal_width(sys.stderr)))
    return _document(app, kind, message, code)


def _document(app: App, kind: str, message: str, code: int) -> int:
    """With --json, the error on stdout."""
    try:
        if app.as_json:
            app.emit({"error": {"kind": kind, "message": message, "exit_code": code}})
        sys.stdout.flush()
    except OSError:  # stdout itself is what failed
        _give_up(1)
    return code


def _write(stream: TextIO, text: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads the errors either, or their disk is full
        print(text, file=stream, flush=True)
