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
    """The option, whose value is the passwords; `text` is its help."""
    return click.option(
        "--password-file", "passwords", metavar="FILE", type=click.Path(), callback=_read, default=None, help=text
    )


def _read(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    if value is None or ctx.resilient_parsing:
        return ()
    try:
        with Path(value).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MOST_BYTES + 1)
        text = data[:_MOST_BYTES].decode("utf-8-sig")
    except OSError as error:
        raise click.BadParameter(f"{shown(value)} cannot be read: {error.strerror}.", ctx, param) from error
    except UnicodeDecodeError:
        raise click.BadParameter(f"{shown(value)} is no text in UTF-8.", ctx, param) from None
    passwords = tuple(line for each in text.split("\n") if (line := each.removesuffix("\r")))
    if not passwords or len(data) > _MOST_BYTES:
        wrong = "is too long" if passwords else "is empty"
        raise click.BadParameter(f"{shown(value)} {wrong}; it takes one password a line.", ctx, param)
    if os.name == "posix" and stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        ctx.ensure_object(App).complain(
            f"warning    {shown(value)} can be read by others; `chmod 600` makes it yours alone"
        )
    return passwords
