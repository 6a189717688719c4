"""Programs of others, run within bounds: a program that does not end in time is ended, with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

_KEPT_BYTES: Final = 64 * 1024  # of what a program says
_ENGLISH: Final = {"LC_ALL": "C"}


class Ran(NamedTuple):
    """How a program ended: its exit code, None where its time was over; and what it said."""

    code: int | None
    said: str


def run(command: Sequence[str], *, seconds: float, folder: Path | None = None) -> Ran:
    """Run a program to its end, or to that of its time. OSError where it cannot be started."""
    process = start(command, folder=folder, stderr=subprocess.STDOUT)
    said = bytearray()
    listener = threading.Thread(target=_listen, args=(process.stdout, said), daemon=True)
    listener.start()
    over = time.monotonic() + seconds
    try:
        listener.join(seconds)  # the end of its pipe: waiting for that of a process would be asking again and again
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, over - time.monotonic()))
        code = process.poll()
    finally:
        end(process)
        listener.join(1)  # a process that left its group may hold the pipe for ever
    return Ran(code, bytes(said).decode("utf-8", "replace"))


def start(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    stderr: int = subprocess.DEVNULL,
    told: bytes | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program as the head of a group of processes, with a pipe for what it writes; it can read `told`."""
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL if told is None else subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=stderr, env={**os.environ, **_ENGLISH}, start_new_session=True,
    )  # fmt: skip
    if told is not None and process.stdin is not None:
        with suppress(OSError):  # it ended without reading
            process.stdin.write(told)  # some bytes: less than any pipe holds
            process.stdin.close()
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program with all that it started; nothing where it has ended."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(OSError):  # the whole group is gone
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _listen(pipe: IO[Any] | None, said: bytearray) -> None:
    """Read to the end, lest the program waits; keep the beginning."""
    with suppress(OSError, ValueError):
        while pipe is not None and (block := pipe.read(4096)):
            said += block[: _KEPT_BYTES - len(said)]
        if pipe is not None:
            pipe.close()
