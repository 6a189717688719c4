"""`doctor`: will it work here?"""

from __future__ import annotations

from typing import Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import shown
from sxeslake.errors import DamagedLakeError, SxeslakeError, UsageError

UNFIT = 6


@click.command("doctor", cls=LakeCommand, example="sxeslake doctor --lake s3://epma-archive/lake")
@pass_app
def command(app: App) -> int:
    """Check software, configuration and lake, and say what to do where something is amiss.

    Also that every pack and manifest is there, by listing them; the exit code is 5 where some are missing.
    Writes to the lake's storage what the check of create-only writes needs, and removes it again.
    """
    checks = [_configuration()]
    code = 0 if all(check["ok"] for check in checks) else UsageError.exit_code
    try:
        with app.open_lake() as lake:
            found = lake.doctor()
        checks += [document(check, ("name", "ok", "detail", "hint")) for check in found]
        if any(check.damage for check in found):
            code = DamagedLakeError.exit_code
        code = code or (0 if all(check.ok for check in found) else UNFIT)
    except SxeslakeError as error:
        checks.append({"name": "lake", "ok": False, "detail": str(error), "hint": error.hint})
        code = error.exit_code
    if app.as_json:
        app.emit({"ok": code == 0, "checks": checks})
        return code
    for check in checks:
        app.print(f"{'ok   ' if check['ok'] else 'WRONG'}  {check['name']:<18} {shown(check['detail'])}")
        if check["hint"] and check["hint"] not in check["detail"]:
            app.print(f"       {'':<18} {shown(check['hint'])}")
    return code


def _configuration() -> dict[str, Any]:
    from sxeslake import settings  # noqa: PLC0415  (start-up time of --help)

    try:
        names = ", ".join(settings.named_lakes()) or "none"
    except SxeslakeError as error:
        return {"name": "configuration", "ok": False, "detail": str(error), "hint": error.hint}
    return {
        "name": "configuration",
        "ok": True,
        "detail": f"{settings.config_dir()}; named lakes: {names}",
        "hint": None,
    }
