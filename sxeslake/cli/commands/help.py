"""`help`: a command, the options of every command, or common tasks."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.json_schemas import CONVENTIONS
from sxeslake.cli.options import LakeCommand, write_shared_options

TASKS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Store a drive",
        (
            ("See what would be stored, and what is duplicate", "sxeslake report FOLDER"),
            ("Store all archives below a folder", "sxeslake ingest FOLDER"),
            ("Store an instrument's files as they are copied", "sxeslake ingest FOLDER"),
            ("Store archives of a share as they are finished", "sxeslake watch FOLDER"),
            ("See what waits, and what failed", "sxeslake watch --status"),
            ("Make one archive of them, without a lake", "sxeslake convert FOLDER -o FILE.plzip"),
            ("Get an instrument's files back", "sxeslake originals NAME -o FOLDER"),
            ("Store under a name of your own", "sxeslake ingest FILE --sample NAME"),
            ("Check whether an original may be deleted", "sxeslake audit FOLDER"),
        ),
    ),
    (
        "Find measurements",
        (
            ("List what is there", "sxeslake ls"),
            ("All maps at 5 kV and 100 nA", "sxeslake query maps-by-beam-condition --kv 5 --current-na 100"),
            ("A word in names, comments and documents", "sxeslake find CuFeS2"),
            ("Which conditions occur", "sxeslake conditions"),
            ("Any other question", 'sxeslake query --sql "SELECT ..."'),
        ),
    ),
    (
        "Take data to a laptop",
        (
            ("The newest version of a sample", "sxeslake pull NAME"),
            ("Another container", "sxeslake pull NAME -o map.pl7z"),
            ("One position, or only the small spectra", "sxeslake pull NAME --position 12 --types qlw"),
            ("What a condition selects", "sxeslake pull NAME --kv 5"),
            ("For a customer, encrypted", "sxeslake pull NAME -o map.7z --password-file FILE"),
            ("Update a folder that was pulled before", "sxeslake sync NAME FOLDER"),
        ),
    ),
    (
        "Look after the lake",
        (
            ("Check a tenth of the data", "sxeslake verify --sample-percent 10"),
            ("Make a second copy", "sxeslake copy LAKE OTHER"),
            ("Tell whether unattended runs went well", "sxeslake health --max-age verify=8d"),
            ("Forget versions by rule, then free their space", "sxeslake forget NAME --keep-last 2"),
            ("", "sxeslake gc"),
            ("Repair after damage", "sxeslake repair --from ARCHIVE"),
        ),
    ),
)
"""What people want to do, and the command for it."""


def _complete_topic(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    group = ctx.find_root().command
    commands = group.list_commands(ctx) if isinstance(group, click.Group) else []
    return [CompletionItem(name) for name in ("json", "options", "tasks", *commands) if name.startswith(incomplete)]


@click.command("help", cls=LakeCommand, example="sxeslake help pull\nsxeslake help options\nsxeslake help tasks")
@click.argument("topic", required=False, shell_complete=_complete_topic)
@click.pass_context
@pass_app
def command(app: App, ctx: click.Context, topic: str | None) -> None:
    """Explain a command, the shared options, or common tasks.

    TOPIC is a command, `options`, `tasks` or `json`. Without one, all commands are listed.
    """
    text = _text(ctx, topic)
    if app.as_json:
        app.emit({"topic": topic, "text": text})
    else:
        app.print(text)


def _text(ctx: click.Context, topic: str | None) -> str:
    root = ctx.find_root()
    if topic is None:
        return root.get_help()
    formatter = root.make_formatter()
    if topic == "options":
        write_shared_options(ctx, formatter)
        return formatter.getvalue().rstrip()
    if topic == "json":
        for paragraph in CONVENTIONS.split("\n\n"):
            formatter.write_paragraph()
            formatter.write_text(paragraph)
        return formatter.getvalue().strip()
    if topic == "tasks":
        for heading, tasks in TASKS:
            with formatter.section(heading):
                for what, line in tasks:
                    formatter.write(f"{'':>{formatter.current_indent}}{what}\n" if what else "")
                    formatter.write(f"{'':>{formatter.current_indent + 4}}{line}\n")
        return formatter.getvalue().rstrip()
    assert isinstance(root.command, click.Group)
    _, found, _ = root.command.resolve_command(root, [topic])
    assert found is not None
    return found.get_help(click.Context(found, info_name=found.name, parent=root))
