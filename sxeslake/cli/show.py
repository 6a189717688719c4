"""`show`: all that is known of one version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.refs import sample_argument
from sxeslake.cli.words import count, shown, size

if TYPE_CHECKING:
    from sxeslake.vault.state import Annotation
    from sxeslake.views import VersionInfo


@click.command("show", cls=LakeCommand, example="sxeslake show map@2")
@sample_argument
@pass_app
def command(app: App, ref: str) -> None:
    """Show a version: where it came from, what it holds, which versions there are.

    Without @V the newest version.
    """
    with app.open_lake() as lake:
        info = lake.show(ref)
    if app.as_json:
        app.emit(document(info))
        return
    for label, value in _facts(info, verbose=app.verbose):
        app.print(f"{label:<12} {shown(value)}")


def _facts(info: VersionInfo, *, verbose: bool) -> list[tuple[str, str]]:
    """Label and value of each line; what is not known has no line."""
    source = info.source
    facts = [
        ("archive", f"{info.sample}@{info.version}, {info.kind}, {info.container}"),
        ("from", f"{source.path} on {source.host}, {size(info.bytes_source)}"),
        ("SHA-256", source.sha256 or ""),
        ("contents", f"{count(info.members, 'entry', 'entries')}, {size(info.bytes_raw)} unpacked"),
        (
            "stored",
            f"{info.ingested_at} by {info.who} on {info.host}, {info.tool}; {size(info.bytes_stored)} new in the lake",
        ),
        ("exact", "yes: a pull gives this very file" if info.exact else f"no: {info.exact_reason}"),
        ("versions", ", ".join(str(version) for version in info.versions)),
        ("message", info.message or ""),
        ("tags", ", ".join(info.tags)),
    ]
    if verbose:
        facts += [
            ("blobs", f"{info.blobs:,}, {info.blobs_new:,} of them new"),
            ("content id", info.content_id),
        ]
    facts += [("annotation", _annotation(said)) for said in info.annotations]
    facts += [("warning", warning) for warning in info.warnings]
    return [(label, value) for label, value in facts if value]


def _annotation(said: Annotation) -> str:
    """`role = standard, of all versions; curie, 2026-11-23T02:34:57Z`."""
    place = f", {said.target} {said.uuid}" if said.uuid else ", of all versions" if said.version is None else ""
    return f"{said.key} = {said.value}{place}; {said.who}, {said.time}"
