"""Free SQL, made safe: one SELECT in a child process that can read the catalogue's parts and nothing else.

    answer = run_select("SELECT count(*) FROM positions", Scope(setup=[…], allowed_paths=[…]))
    for batch in answer.batches: …

What the child refuses, and how, stands in `sandbox_child.py`. Here: starting it with an empty environment, killing it
at the deadline, reading its frames, and saying in plain words what was wrong with the query.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import importlib.util
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from sxeslake.catalog.query.sandbox_child import MEMORY_EXIT
from sxeslake.catalog.schema.tables import TABLES
from sxeslake.errors import DamagedLakeError, SxeslakeError, UsageError
from sxeslake.model import GIB, MIB
from sxeslake.text.suggest import did_you_mean, nearest

SQL_BYTES = 256 * 1024
"""Longest free SQL: no person writes more, and the parser's time grows with it."""


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What one free query may take; all adjustable.

    Attributes
    ----------
    seconds : float
        Time, in s.
    memory_bytes : int
        Memory, in bytes.
    result_bytes : int
        The result, in bytes.
    rows : int or None
        The result is cut after so many, and says so.
    threads : int
        Threads.

    Examples
    --------
    >>> limits = sxeslake.SandboxLimits(seconds=5, rows=1000)
    >>> len(lake.sql("SELECT * FROM positions", limits=limits))
    12
    """

    seconds: float = 30.0
    memory_bytes: int = 2 * GIB
    result_bytes: int = 512 * MIB
    rows: int | None = None
    threads: int = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Scope:
    """What free SQL can see: trusted statements that make the views, and the exact files these read."""

    setup: Sequence[str]
    allowed_paths: Sequence[Path] = field(default_factory=tuple)


FindScope = Callable[[Collection[str]], Scope]
"""Names of tables and functions in a query → what it needs of them, brought here if need be."""


def run_select(
    sql: str,
    scope: Scope | FindScope,
    *,
    parameters: Mapping[str, object] | None = None,
    limits: SandboxLimits | None = None,
) -> Answer:
    """Run one SELECT (or EXPLAIN) with `$name` parameters bound; UsageError says what was wrong with it."""
    if len(sql.encode(errors="surrogatepass")) > SQL_BYTES:
        raise UsageError(f"the SQL is longer than {SQL_BYTES // 1024} KiB.")
    if not sql.isascii() and any("\ud800" <= sign <= "\udfff" for sign in sql):
        raise UsageError("the SQL is not UTF-8 text.")
    child = _Child(sql, parameters or {}, limits or SandboxLimits())
    try:
        child.look(scope)
    except BaseException:
        child.kill()
        raise
    return Answer(child)


class Answer:
    """A result as it comes in: `schema` at once, `batches` once; `truncated` is known when they are read."""

    def __init__(self, child: _Child) -> None:
        import pyarrow as pa  # noqa: PLC0415 - loaded while the child starts; 0.1 s of nothing else

        self._child = child
        self.truncated = False
        file = pa.PythonFile(io.BufferedReader(child.frames, MIB), mode="r")
        self._reader = self._read(lambda: pa.ipc.open_stream(file))
        self.schema = self._reader.schema

    @property
    def batches(self) -> Iterator[Any]:
        """The record batches, to be read once; the child ends with them."""
        try:
            while (batch := self._read(lambda: next(self._reader, None))) is not None:
                yield batch
            self.truncated = self._child.finish()
        finally:
            self._child.kill()

    def close(self) -> None:
        """End the child if it still works."""
        self._child.kill()

    def _read(self, step: Callable[[], Any]) -> Any:
        """One step of reading; a stream that breaks off raises what the child said or how it died."""
        try:
            return step()
        except (OSError, ValueError) as error:  # Arrow's errors are of these kinds
            try:
                self._child.finish()
            finally:
                self._child.kill()
            raise SxeslakeError(f"the query's child process sent a broken result: {error}") from error
        except BaseException:
            self._child.kill()
            raise


class _Child:
    """The process, its deadline, its frames."""

    def __init__(self, sql: str, parameters: Mapping[str, object], limits: SandboxLimits) -> None:
        if not sys.executable:
            raise SxeslakeError("free SQL needs a Python interpreter to start, and this program does not name one.")
        self._limits = limits
        self._expired = False
        request = _request(sql, parameters, limits)
        child = Path(__file__).with_name("sandbox_child.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(child)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            cwd=child.anchor,
        )
        self._seconds_left = limits.seconds
        self._timer = self._timed()
        self.frames = _FrameFile(_pipe(self._process.stdout))
        self._send(request)

    def look(self, scope: Scope | FindScope) -> None:
        """Let the child see what its query names. What it takes to bring that here is not the query's time."""
        names = self.frames.names()
        self._pause()
        if names is None:
            self.finish()
            raise SxeslakeError("the query's child process did not name the tables that it needs.")
        found = scope if isinstance(scope, Scope) else scope(names)
        self._timer = self._timed()
        self._send({"setup": list(found.setup), "allowed_paths": [str(path) for path in found.allowed_paths]})

    def _timed(self) -> threading.Timer:
        self._started = time.monotonic()
        timer = threading.Timer(self._seconds_left, self._expire)
        timer.daemon = True
        timer.start()
        return timer

    def _pause(self) -> None:
        self._timer.cancel()
        self._seconds_left = max(0.0, self._seconds_left - (time.monotonic() - self._started))

    def _send(self, words: Mapping[str, object]) -> None:
        """One line to the child."""
        stdin = _pipe(self._process.stdin)
        try:
            stdin.write(json.dumps(words).encode() + b"\n")
            stdin.flush()
        except OSError:  # the child died; its frames or exit status say why
            return

    def _expire(self) -> None:
        self._expired = True
        self._process.kill()

    def finish(self) -> bool:
        """Read what is left and raise the child's error, if any; whether rows were cut off."""
        self.frames.drain()
        if self.frames.error is not None:
            raise _sql_error(self.frames.error, self._limits)
        if self.frames.done is None:
            self._process.wait()
            raise _death(self._process.returncode, self._expired, self._limits)
        return bool(self.frames.done["truncated"])

    def kill(self) -> None:
        """End the process, in whatever state; safe to call again."""
        self._timer.cancel()
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stdin):
            if stream is not None and not stream.closed:
                with contextlib.suppress(OSError):  # a request that the child never read
                    stream.close()


class _FrameFile(io.RawIOBase):
    """The child's Arrow bytes as a file; keeps the error or the end that comes in between."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._left = 0
        self._names: list[str] | None = None
        self.error: dict[str, Any] | None = None
        self.done: dict[str, Any] | None = None

    def names(self) -> list[str] | None:
        """The first frame: the names in the query; None where an error or the end came in its place."""
        self._next_frame()
        return self._names

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        if self._left == 0 and not self._next_frame():
            return 0
        data = self._pipe.read(min(len(view), self._left))
        self._left -= len(data)
        view[: len(data)] = data
        return len(data)

    def drain(self) -> None:
        """Read on to the last frame."""
        while self._left or self._next_frame():
            skipped = len(self._pipe.read(min(self._left, MIB)))
            if not skipped:
                return
            self._left -= skipped

    def _next_frame(self) -> bool:
        """Go to the next Arrow bytes; False at the end, be it good, bad or sudden."""
        while self.error is None and self.done is None:
            head = self._pipe.read(9)
            if len(head) < 9:
                return False
            kind, length = head[:1], int.from_bytes(head[1:], "little")
            if kind == b"A":
                self._left = length
                if length:
                    return True
                continue
            payload = json.loads(self._pipe.read(length))
            if kind == b"N":
                self._names = payload
                return True
            if kind == b"E":
                self.error = payload
            else:
                self.done = payload
        return False


def _request(sql: str, parameters: Mapping[str, object], limits: SandboxLimits) -> dict[str, object]:
    return {
        "sql": sql,
        "parameters": {name: _written(value) for name, value in parameters.items()},
        "import_paths": _import_paths(),
        "memory_bytes": limits.memory_bytes,
        "result_bytes": limits.result_bytes,
        "row_limit": limits.rows,
        "seconds": limits.seconds,
        "threads": limits.threads,
    }


def _written(value: object) -> tuple[str, object]:
    """A parameter's value for the child: its kind and what JSON can say of it; `sandbox_child._value` reads it."""
    written: tuple[str, object]
    match value:
        case None | bool() | int() | str():
            written = "plain", value
        case float():
            written = "float", repr(value)
        case decimal.Decimal():
            written = "decimal", str(value)
        case dt.datetime():
            written = "datetime", value.isoformat()
        case dt.date():
            written = "date", value.isoformat()
        case bytes():
            written = "bytes", value.hex()
        case list() | tuple():
            written = "list", [_written(each) for each in value]
        case _:
            written = "plain", str(value)
    return written


def _import_paths() -> list[str]:
    """Where this process finds the libraries: with `-I` the child ignores PYTHONPATH and the user's own packages."""
    specs = [importlib.util.find_spec(name) for name in ("duckdb", "pyarrow", "numpy")]
    found = [str(Path(spec.origin).parent.parent) for spec in specs if spec is not None and spec.origin]
    return list(dict.fromkeys(found))


def _environment() -> dict[str, str]:
    """Only what an interpreter needs to start: no credentials can be read from what is not there."""
    needed = (
        ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH")
        if os.name == "nt"
        else ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    )
    kept = {name: os.environ[name] for name in needed if name in os.environ}
    # glibc reserves 64 MiB of address space for each arena, which the limit would count as the query's.
    return kept | {"MALLOC_ARENA_MAX": "2"}


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise SxeslakeError("the query's child process has no pipe.")
    return stream


def _sql_error(report: Mapping[str, Any], limits: SandboxLimits) -> SxeslakeError:
    """The child's report as an error for people."""
    message = str(report["message"]).strip()
    error: SxeslakeError
    match report["kind"]:
        case "refused":
            error = UsageError(f"this SQL was not run: {message}")
        case "result":
            error = UsageError(message)
        case "memory":
            error = _memory_error(limits)
        case "sql":
            near = _near_miss(message, {*report["names"], *_CATALOGUE})
            error = UsageError(f"{message}\n" if near else message, hint=near, has_lines=True)
        case "setup":
            hint = "Try `sxeslake catalog rebuild`."
            error = DamagedLakeError(f"the catalogue's local parts cannot be opened: {message}", hint=hint)
        case "limits":
            error = SxeslakeError(f"free SQL is not run, for it cannot be confined on this system: {message}")
        case _:
            error = SxeslakeError(f"the query's child process failed: {message}")
    return error


_UNKNOWN_NAME = re.compile(
    r'Table with name "?([^\s"!]+)"? does not exist|[Cc]olumn "([^"]+)" not found|have a column named "([^"]+)"'
)


_CATALOGUE: Final = frozenset(name for table in TABLES for name in (table.name, *(each.name for each in table.columns)))
"""Every table and column: the child knows only those that the query's own names asked for."""


def _near_miss(message: str, names: Collection[str]) -> str | None:
    """What was meant by the name that DuckDB did not find, unless its own message says so already."""
    match = _UNKNOWN_NAME.search(message)
    word = next(filter(None, match.groups()), None) if match else None
    near = nearest(word, names) if word else []
    if not word or not near or any(f'"{name}"' in message for name in near):
        return None
    return did_you_mean(word, near)


def _memory_error(limits: SandboxLimits, *, perhaps: str = "") -> UsageError:
    return UsageError(
        f"the query needed more than {limits.memory_bytes / GIB:g} GiB of memory{perhaps} and was stopped.",
        hint="Select fewer rows or columns, or aggregate.",
    )


def _death(status: int, expired: bool, limits: SandboxLimits) -> SxeslakeError:
    """Why the child died without a word."""
    if expired or status == -getattr(signal, "SIGXCPU", 0):
        return UsageError(
            f"the query took longer than {limits.seconds:g} s and was stopped.", hint="Narrow it with WHERE or LIMIT."
        )
    # A failed allocation that DuckDB cannot turn into an error ends in abort or a fault: the limit did its work. So
    # does a recursion that outgrows the stack.
    if status in (-signal.SIGSEGV, -getattr(signal, "SIGBUS", 0)):
        return _memory_error(limits, perhaps=", or is nested too deeply,")
    if status == MEMORY_EXIT or status < 0:
        return _memory_error(limits)
    return SxeslakeError(f"the query's child process ended with status {status}.")
