"""A real shell, or one command, on a terminal of its own: keys go in, and what is made of them comes out."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--private", "-i"],
}
_SHOWARGS = {
    "bash": r"""showargs() { printf '\036%s' "$@"; printf '\037'; }""",
    "zsh": r"""showargs() { printf '\036%s' "$@"; printf '\037'; }""",
    "fish": r"function showargs; printf '\036%s' $argv; printf '\037'; end",
}
_SETTINGS = {
    "bash": "bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; bind 'set page-completions off'",
    "zsh": "unset zle_bracketed_paste; LISTMAX=10000; PROMPT='% '",
    "fish": "function fish_prompt; echo -n '> '; end; set -g fish_greeting; set -g fish_autosuggestion_enabled 0",
}
_INSTALLED = {
    "bash": 'eval "$(sxeslake completion bash)"',
    "zsh": 'eval "$(sxeslake completion zsh)"',
    "fish": "sxeslake completion fish | source",
}
_PATIENCE_S = 60.0
_MOMENT_S = 0.2
_AGAIN_S = 5.0


class Shell:
    """One shell; `line` types, presses Tab, and tells which words stand there."""

    def __init__(self, kind: str, terminal: int) -> None:
        self.kind, self._terminal = kind, terminal

    def set_up(self) -> None:
        """Define what the tests need, and install the completion."""
        self.command(_SHOWARGS[self.kind])
        for line in (_SETTINGS[self.kind], _INSTALLED[self.kind]):
            self.command(line)

    def command(self, line: str) -> str:
        """Run a line; what it printed, prompts and echoes among it."""
        self._send(f"{line}\n")
        self._send("showargs done\n")
        return self._until(b"\x1edone\x1f").decode("utf-8", "replace")

    def line(self, typed: str, tabs: int = 1) -> list[str]:
        """Type, press Tab; the words that the shell then reads from the line."""
        self._send(typed + "\t" * tabs + "\x01showargs \n")
        seen = self._until(b"\x1f")
        return [word.decode() for word in seen.rpartition(b"\x1f")[0].split(b"\x1e")[1:]]

    def typed(self, typed: str, tabs: int = 1) -> str:
        """Type and press Tab; what the terminal shows then. `clear` must follow, or `line` instead."""
        self._send(typed)
        seen = self._quiet()
        for _ in range(tabs):
            self._send("\t")
            seen += self._quiet(0.6)
        return seen.decode("utf-8", "replace")

    def clear(self) -> None:
        """Throw the line away."""
        self._send("\x03")
        self._quiet()

    def _send(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def _read(self, timeout_s: float) -> bytes:
        ready, _, _ = select.select([self._terminal], [], [], timeout_s)
        try:
            return os.read(self._terminal, 65536) if ready else b""
        except OSError:  # the shell is gone
            return b""

    def _quiet(self, for_s: float = 0.05) -> bytes:
        """What comes until nothing has come for a while."""
        seen = b""
        while part := self._read(for_s):
            seen += part
        return seen

    def _until(self, end: bytes) -> bytes:
        seen = b""
        until = time.monotonic() + _PATIENCE_S
        while end not in seen:
            if time.monotonic() > until:
                raise TimeoutError(f"{self.kind} never came to {end!r}; it said {seen!r}")
            seen += self._read(0.2)
        return seen


def program(folder: Path) -> Path:
    """A folder for PATH with the command `sxeslake` of this interpreter."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "sxeslake"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sxeslake "$@"\n')
    script.chmod(0o755)
    return folder


@contextmanager
def shell(kind: str, folder: Path, environment: Mapping[str, str]) -> Iterator[Shell]:
    """Start a shell in a folder, which is also its home."""
    own = {
        "HOME": str(folder), "TERM": "xterm", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": str(folder),
        "PATH": os.environ["PATH"], **environment,
    }  # fmt: skip
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvpe(PROGRAMS[kind][0], PROGRAMS[kind], own)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    try:
        found = Shell(kind, terminal)
        found.set_up()
        yield found
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


def answered(arguments: Sequence[str], question: bytes, keys: bytes) -> tuple[int, str]:
    """Run a command line on a terminal and press keys when it has asked; its exit code, and what the terminal shows.

    As a person does: a moment after the question, and again where nothing comes of it. Between printing a prompt and
    reading the terminal Python hears of no signal until the next key.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "sxeslake", *arguments])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    seen, give_up, press_at = b"", time.monotonic() + _PATIENCE_S, 0.0
    try:
        while True:
            ready, _, _ = select.select([terminal], [], [], _MOMENT_S)
            try:
                part = os.read(terminal, 65536) if ready else None
            except OSError:  # the command is gone
                break
            if part == b"":
                break
            seen += part or b""
            now = time.monotonic()
            if part is None and question in seen and now >= press_at:
                os.write(terminal, keys)
                press_at = now + _AGAIN_S
            if now > give_up:
                os.kill(child, signal.SIGKILL)
                raise TimeoutError(f"{arguments} never ended; it said {seen!r}")
    finally:
        _, status = os.waitpid(child, 0)
        os.close(terminal)
    return os.waitstatus_to_exitcode(status), seen.decode("utf-8", "replace")
