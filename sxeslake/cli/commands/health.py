"""`health`: has it run, and well?"""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import COMMAND_HEALTH, HEALTH, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.recording import notify, notify_option
from sxeslake.cli.words import count, shown
from sxeslake.errors import StorageError, UsageError

if TYPE_CHECKING:
    from sxeslake.runs.health import CommandHealth

UNWELL = 4
"""The exit code where a last run failed, or is too long ago."""


@click.command(
    "health",
    cls=LakeCommand,
    params=[notify_option()],
    example="sxeslake health\nsxeslake health --lake facility --max-age verify=8d --max-age copy=2d",
)
@click.option(
    "--max-age",
    "ages",
    metavar="COMMAND=TIME",
    multiple=True,
    help="How old the last success of a command may be: verify=8d, copy=36h, watch=10m. Repeat for more.",
)
@pass_app
def command(app: App, ages: tuple[str, ...]) -> int:
    """Tell of each command that works unattended when it last ran on this machine, and how that ended.

    Runs of ingest, watch, verify, copy, gc, checkpoint, repair and repack are recorded in the state folder of the
    user who runs them. The lake itself is not asked. The exit code is 0 where each of them that has run ended well,
    and the last success of those with --max-age is young enough; else 4. A run that was killed counts as failed; one
    that goes on is judged by the one before. Dry runs do not count; nor does a `copy` of some samples, or a `verify`
    whose time was up, as a success.

    Run by a timer with --notify, it also reports what can report nothing itself: runs that were killed, timers that
    were switched off.
    """
    from sxeslake.runs.health import health_of  # noqa: PLC0415  (start-up time of --help, here and below)
    from sxeslake.runs.recording import public  # noqa: PLC0415

    limits = _limits(ages)
    lake = public(app.resolve()[0])
    try:
        found = health_of(lake, limits)
    except OSError as error:
        raise StorageError(
            f"the records of runs cannot be read: {error.strerror}.", where=error.filename,
            hint="Run it as the user who runs the commands, or set SXESLAKE_STATE to their folder.",
        ) from error  # fmt: skip
    ok = all(each.ok for each in found)
    told = {"ok": ok, "lake": lake, "checked_at": _now()}
    if app.as_json:
        app.emit(document(told | {"commands": [_row(each) for each in found]}, HEALTH))
    else:
        _render(app, lake, found)
    if ok:
        return 0
    wrong = [each for each in found if not each.ok]
    names = ", ".join(dict.fromkeys(each.command for each in wrong))
    text = f"sxeslake on {socket.gethostname()}: {names} of {lake} {'needs' if len(wrong) == 1 else 'need'} attention"
    notify(app, {"event": "unwell", "text": text, **told, "commands": [_row(each) for each in wrong]})
    return UNWELL


def _limits(words: tuple[str, ...]) -> dict[str, float]:
    """`verify=8d,copy=2d` → seconds by command."""
    from sxeslake.cli.root import SECTIONS  # noqa: PLC0415  (it lists the commands by name)
    from sxeslake.maintenance.retention.durations import parse_wait  # noqa: PLC0415
    from sxeslake.runs.health import COMMANDS  # noqa: PLC0415

    known = {name for commands in SECTIONS.values() for name in commands} | set(COMMANDS)
    limits: dict[str, float] = {}
    for word in (part.strip() for each in words for part in each.split(",")):
        name, equals, age = word.partition("=")
        if not equals or name not in known:
            raise click.UsageError(f"--max-age: {word!r} is not COMMAND=TIME, such as verify=8d or copy=36h.")
        try:
            limits[name] = parse_wait(age).total_seconds()
        except UsageError as error:
            raise click.UsageError(f"--max-age {name}: {error}") from error
    return limits


def _render(app: App, lake: str, found: list[CommandHealth]) -> None:
    from sxeslake.runs.health import in_words  # noqa: PLC0415

    for each in found:
        word = "WRONG" if not each.ok else "-" if each.last is None else "ok"
        app.print(f"{word:<5}  {each.command:<11} {shown(in_words(each))}")
        if each.why is not None:
            app.print(f"{'':<18} {shown(each.why)}")
    wrong = sum(not each.ok for each in found)
    ran = sum(each.last is not None for each in found)
    if wrong:
        app.print(f"{count(wrong, 'command')} of {shown(lake)} {'needs' if wrong == 1 else 'need'} attention.")
    elif ran:
        app.print(f"The last runs on {shown(lake)} from this machine ended well.")
    else:
        app.print(f"Nothing has run on {shown(lake)} from this machine.")


def _row(each: CommandHealth) -> dict[str, Any]:
    """A command as a document."""
    last = each.last
    return document(
        {
            "command": each.command, "target": each.target, "ok": each.ok, "result": each.state, "why": each.why,
            "age_s": each.age_s, "success_age_s": each.success_age_s, "max_age_s": each.max_age_s,
            "started_at": None if last is None else last.started_at,
            "ended_at": None if last is None else last.ended_at,
            "last_success_at": None if each.success is None else each.success.ended_at,
            "duration_s": None if last is None else last.duration_s,
            "exit_code": None if last is None else last.exit_code,
            "bytes_read": None if last is None else last.bytes_read,
            "bytes_written": None if last is None else last.bytes_written,
            "retries": None if last is None else last.retries,
            "failures": None if last is None else last.failures,
            "messages": [] if last is None else last.messages,
            "arguments": [] if last is None else last.arguments,
            "run": None if last is None else last.id,
            "host": None if last is None else last.host,
            "pid": None if last is None else last.pid,
            "sxeslake_version": None if last is None else last.sxeslake_version,
        },
        COMMAND_HEALTH,
    )  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
