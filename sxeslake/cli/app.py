"""What the global options said, and how a command speaks: words to stderr, results to stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import cached_property
from logging import INFO, WARNING, Handler, LogRecord
from threading import Lock
from typing import TYPE_CHECKING

import click

from sxeslake.errors import LakeNotFoundError
from sxeslake.text.safe import visible_lines
from sxeslake.text.table import folded_text, terminal_width

if TYPE_CHECKING:
    # Types only: these modules load the heavy libraries, which `--help` must not.
    from sxeslake.cli.progress import Bar
    from sxeslake.lake import Lake
    from sxeslake.lakes import Lakes
    from sxeslake.runs.recording import Run


@dataclass
class App:
    """One call of the command line."""

    word: str | None = None  # the lake as the user wrote it: a URL, a folder, a name
    storage_options: dict[str, str] = field(default_factory=dict)
    other_options: list[dict[str, str]] = field(default_factory=list)  # of other lakes: their secrets are hidden too
    words: tuple[str, ...] = ()  # where several are read as one; names of groups, too, until these are taken apart
    as_json: bool = False
    limit_up: str | None = None  # `5MB/s`
    limit_down: str | None = None
    retry_for_s: float | None = None
    verbose: int = 0  # how many -v were given
    quiet: bool = False
    kept: Callable[[], str] | None = None  # what an interruption leaves, in words
    bar: Bar | None = field(default=None, compare=False)  # the last that was made
    says_end: Lock = field(default_factory=Lock, compare=False)  # whoever has it says that the work was interrupted
    log_format: str = "text"
    log_file: str | None = None
    log: Handler | None = field(default=None, compare=False)  # where words and log are kept
    command: str | None = field(default=None, compare=False)  # `publish tables`
    lake: str | None = field(default=None, compare=False)  # the URL of the first that was opened
    arguments: list[str] = field(default_factory=list, compare=False)  # all words of the call
    metrics_file: str | None = None
    notify: str | None = None  # a URL or a command; it may hold a secret
    run: Run | None = field(default=None, compare=False)  # the record of this run, where its command keeps one
    failure: str | None = field(default=None, compare=False)  # the error that ended it, as it was said

    @cached_property
    def run_id(self) -> str:
        """What tells the lines of this call from those of others, in logs and records."""
        from sxeslake.runs.names import new_id  # noqa: PLC0415  (only what is kept needs it)

        return new_id()

    def say(self, text: str) -> None:
        """Words for people, on stderr."""
        self.log_words(text, INFO)
        if not self.quiet:
            self.show_words(text)

    def complain(self, text: str) -> None:
        """Words that also --quiet lets through: failures and warnings."""
        self.log_words(text, WARNING)
        self.show_words(text)

    def log_words(self, text: str, level: int, *, trace: bool = False) -> None:
        """Words for people, into the log that is kept, where one is; with what is being handled, if `trace`."""
        if self.log is not None:
            exc_info = sys.exc_info() if trace else None
            self.log.handle(LogRecord("sxeslake.cli", level, __file__, 0, "%s", (text,), exc_info))

    @property
    def logs_to_stderr(self) -> bool:
        """Whether stderr is a log for programs, in which words for people are records."""
        return self.log_format == "json" and self.log_file is None

    def show_words(self, text: str) -> None:
        """Words on stderr, unless that is a log for programs."""
        if self.logs_to_stderr:
            return
        with suppress(OSError):  # where nobody can read the words, the work still goes on
            self._echo(folded_text(visible_lines(text), terminal_width(sys.stderr)), err=True)

    def print(self, text: str = "") -> None:
        """A line of the result, on stdout; on a terminal folded where it is wider than the window."""
        self._echo(folded_text(visible_lines(text), terminal_width(sys.stdout)))

    def print_data(self, text: str) -> None:
        """Text for programs, on stdout: as it is into a file or a pipe, without control characters on a terminal."""
        click.echo(visible_lines(text) if sys.stdout.isatty() else text)

    def emit(self, document: object) -> None:
        """The one JSON document, on stdout."""
        click.echo(to_json(document, indent=2))

    def emit_rows(self, rows: Iterable[object]) -> None:
        """A JSON list, a row a line, written as it comes: half a million members never stand in memory."""
        opening = "[\n"
        for row in rows:
            sys.stdout.write(opening + to_json(row))
            opening = ",\n"
        sys.stdout.write("[]\n" if opening == "[\n" else "\n]\n")

    def resolve(self) -> tuple[str, str]:
        """The lake's URL and where it came from (`option`, `environment`, `name`, `default`)."""
        from sxeslake.settings import resolve_lake  # noqa: PLC0415  (start-up time of --help)

        return resolve_lake(self.word)

    def choose_lakes(self, *, several: bool, command: str) -> None:
        """Take groups apart; refuse more than one lake where `command` works with one."""
        import os  # noqa: PLC0415  (start-up time of --help, here and below)

        if not self.words and not os.environ.get("SXESLAKE_LAKE"):
            return
        from sxeslake import settings  # noqa: PLC0415

        said = self.words
        self.words = tuple(settings.members(said))
        if len(self.words) > 1 and not several:
            raise click.UsageError(
                f"`{command}` works with one lake, and {len(self.words)} are named: {', '.join(self.words)}. "
                "Several are read as one by ls, find, query and serve."
            )
        if said and len(self.words) == 1:
            self.word = self.words[0]

    def open_reading(self, *, skip_unreachable: bool) -> Lake | Lakes:
        """The lake of this call, or several as one."""
        if len(self.words) < 2:
            return self.open_lake()
        from sxeslake.lakes import opened_as_one  # noqa: PLC0415

        return opened_as_one(self.words, self._open_shown, skip_unreachable=skip_unreachable, tell=self.warn)

    def _open_shown(self, word: str) -> Lake:
        lake = self.open_one_of(word)
        lake.show_progress(self.progress)
        return lake

    def open_one_of(self, word: str) -> Lake:
        """One of several lakes."""
        from sxeslake.lakes import options_of  # noqa: PLC0415

        return self.open_named(word, storage_options=options_of(word, self.storage_options, of=len(self.words)))

    def lake_title(self) -> str:
        """The short name of the one lake of this call."""
        from sxeslake import settings  # noqa: PLC0415

        word = next(iter(self.words), None) or settings.default_name() or settings.default_lake_url()
        return next(iter(settings.titles([word])))

    def open_named(
        self, word: str | None, *, tolerant: bool = False, storage_options: dict[str, str] | None = None
    ) -> Lake:
        """The lake that a word means, with the options of this call, or with `storage_options` where they are given."""
        from sxeslake.lake import open_lake  # noqa: PLC0415  (start-up time of --help)

        lake = open_lake(
            word,
            storage_options=self.storage_options if storage_options is None else storage_options,
            limit_up=self.limit_up,
            limit_down=self.limit_down,
            retry_for_s=self.retry_for_s,
            tolerant=tolerant,
        )
        lake.tell_trouble(self.warn)
        self.lake = self.lake or lake.url
        return lake

    def open_lake(self, *, create_default: bool = False, tolerant: bool = False) -> Lake:
        """The lake of this call; names it where the user did not; makes the embedded one on first need."""
        from sxeslake.lake import init  # noqa: PLC0415  (start-up time of --help)

        url, how = self.resolve()
        try:
            lake = self.open_named(self.word, tolerant=tolerant)
        except LakeNotFoundError:
            if how != "default":
                raise
            if not create_default:
                raise LakeNotFoundError(
                    "there is no lake yet.",
                    where=url,
                    hint="`sxeslake ingest FILE` makes one; --lake URL names another.",
                ) from None
            lake = init(url)
            lake.tell_trouble(self.warn)
        if self.word is None:
            self.say(f"Lake: {lake.url} ({_WHY[how]})")
        lake.show_progress(self.progress)
        return lake

    def open_lake_or_none(self) -> Lake:
        """The lake of this call, to foresee what it would take; where none was named or made yet, one in memory."""
        from uuid import uuid4  # noqa: PLC0415  (start-up time of --help)

        from sxeslake.lake import init  # noqa: PLC0415  (as above)

        _, how = self.resolve()
        try:
            return self.open_lake()
        except LakeNotFoundError:
            if how != "default":
                raise
            self.say("There is no lake yet: compared with an empty one.")
            return init(f"memory://{uuid4().hex}")

    def warn(self, text: str) -> None:
        """A warning, also with --quiet."""
        from sxeslake.cli.words import shown  # noqa: PLC0415  (rarely needed)

        self.complain(f"warning    {shown(text)}")

    def progress(self) -> Bar | None:
        """A progress bar where somebody watches stderr, else none."""
        if self.quiet or self.logs_to_stderr or not sys.stderr.isatty():
            return None
        from sxeslake.cli.progress import Bar  # noqa: PLC0415  (rich is slow to load)

        self.bar = Bar()
        return self.bar

    def _echo(self, text: str, *, err: bool = False) -> None:
        """Print a line; a progress bar makes room for it."""
        with nullcontext() if self.bar is None else self.bar.aside():
            click.echo(text, err=err)


def to_json(document: object, indent: int | None = None) -> str:
    """JSON in plain ASCII; DEL, which JSON allows, is escaped as other control characters are."""
    import json  # noqa: PLC0415  (no command without --json needs it)

    return json.dumps(document, indent=indent, ensure_ascii=True).replace("\x7f", "\\u007f")


_WHY = {
    "default": "the embedded lake; --lake URL names another",
    "environment": "from SXESLAKE_LAKE",
    "name": "chosen with `sxeslake use`; --lake URL names another",
}


pass_app = click.make_pass_decorator(App, ensure=True)
"""Decorator: gives a command its `App` as first argument."""
