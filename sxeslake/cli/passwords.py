"""`--password-file`: passwords come from a file, for what stands on a command line can be seen by everybody."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from sxeslake.cli.app import App
from sxeslake.cli.words import shown

_MOST_BYTES = 1 << 20
_Command = TypeVar("_Command", bound=Callable[..., Any] | click.Command)


def password_file_option(text: str) -> Callable[[_Command], _Command]:
    """The option; `text` is its help."""
    return click.option("--password-file", metavar="FILE", type=click.Path(), help=text)


def read_passwords(app: App, path: str | None) -> tuple[str, ...]:
    """The passwords of a file, one a line; none without a file. What is wrong with it is said, and nothing of it."""
    if path is None:
        return ()
    try:
        with Path(path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MOST_BYTES + 1)
        text = data[:_MOST_BYTES].decode("utf-8-sig")
    except OSError as error:
        raise _unfit(path, f"cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise _unfit(path, "is not UTF-8 text.") from None
    passwords = tuple(line for each in text.split("\n") if (line := each.removesuffix("\r")))
    if not passwords or len(data) > _MOST_BYTES:
        raise _unfit(path, f"is {'too long' if passwords else 'empty'}; it takes one password a line.")
    if os.name == "posix" and stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        app.complain(f"warning    {shown(path)} can be read by others; `chmod 600` restricts it to you")
    return passwords


def _unfit(path: str, why: str) -> click.BadParameter:
    return click.BadParameter(f"{shown(path)} {why}", param_hint="'--password-file'")
