"""The command line in a process of its own, interrupted while it waits."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Interrupted(NamedTuple):
    """How a command ended: its exit code, what it said on stderr, and the seconds from the signal to its end."""

    code: int
    said: str
    seconds: float


def interrupted(
    words: Sequence[str],
    work: Path,
    setting: Mapping[str, str],
    number: int,
    *,
    is_waiting: Callable[[], object],
    settle_s: float = 0.3,
) -> Interrupted:
    """Run `sxeslake` in a folder until it waits, let all its threads come to wait, send a signal."""
    # Under nohup a child would inherit that hang-ups are ignored; a handler is not inherited.
    before = signal.signal(number, lambda *_: None)
    with subprocess.Popen(
        [sys.executable, "-m", "sxeslake", *words], cwd=work, env=setting, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        signal.signal(number, before)
        try:
            give_up = time.monotonic() + 30
            while not is_waiting() and running.poll() is None and time.monotonic() < give_up:
                time.sleep(0.02)
            assert is_waiting(), "it was to be caught while it waits"
            time.sleep(settle_s)
            sent = time.monotonic()
            running.send_signal(number)
            _, said = running.communicate(timeout=30)
            return Interrupted(running.returncode, said, time.monotonic() - sent)
        finally:
            running.kill()
