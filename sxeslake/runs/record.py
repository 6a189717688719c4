"""What is kept of one run of a command, as JSON.

    {"record_version": 1, "command": "verify", "lake": "s3://epma/lake", "result": "ok", "duration_s": 41.2, …}

No secret is in it: arguments and messages are cleaned before they come here.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

RECORD_VERSION: Final = 1

RunResult = Literal["ok", "failed", "interrupted", "running"]
"""How a run ended. `running` in a record whose process is gone means that it was killed."""

MOST_MESSAGES: Final = 20
"""Failures whose words are kept; the others are counted."""
_LONGEST_MESSAGE: Final = 1000


class RunRecord(msgspec.Struct, kw_only=True):
    """One run of a command on one lake.

    Attributes
    ----------
    record_version : int
        The version of this form.
    id : str
        The run's name, from its start and chance; also the name of its file.
    command : str
        The command: `verify`.
    arguments : list of str
        The command line without secrets.
    lake : str
        The lake's URL without secrets; of `copy` the source.
    target : str or None
        The lake that `copy` writes to; None for other commands.
    host : str
        The machine.
    pid : int
        The process on it.
    sxeslake_version : str
        The version that ran.
    started_at : str
        Start, UTC.
    updated_at : str
        When the record was written last, UTC; once a minute while the run lasts.
    ended_at : str or None
        End, UTC; None while it runs, or where it was killed.
    duration_s : float
        How long it took, in seconds; of a run that lasts, up to `updated_at`.
    result : str
        `ok`, `failed`, `interrupted` or `running`.
    exit_code : int or None
        The exit code; None while it runs.
    complete : bool
        False where it did a part only of what the command is for: a `verify` whose time was up, a `copy` of samples.
    dry_run : bool
        Whether it was to change nothing.
    archives : int
        Archives that it stored or copied.
    bytes_read : int
        Bytes that it read, as its summary counts them.
    bytes_written : int
        Bytes that it wrote, as its summary counts them.
    bytes_freed : int
        Bytes that it deleted, less those that it wrote instead.
    retries : int
        Requests to the storage that were tried again.
    failures : int
        What failed: archives, problems found, the error that ended it.
    messages : list of str
        The words of the first of them.
    metrics_file : str or None
        The file that its metrics are written to.

    Examples
    --------
    >>> from sxeslake.runs.record import RunRecord, decode, encode
    >>> run = RunRecord(
    ...     id="20261127T030000Z-0a1b2c3d", command="verify", lake="/lake", host="epma", pid=7, sxeslake_version="1",
    ...     started_at="2026-11-27T03:00:00Z", updated_at="2026-11-27T03:00:00Z",
    ... )
    >>> decode(encode(run)).result
    'running'
    """

    record_version: int = RECORD_VERSION
    id: str
    command: str
    arguments: list[str] = []
    lake: str
    target: str | None = None
    host: str
    pid: int
    sxeslake_version: str
    started_at: str
    updated_at: str
    ended_at: str | None = None
    duration_s: float = 0.0
    result: RunResult = "running"
    exit_code: int | None = None
    complete: bool = True
    dry_run: bool = False
    archives: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    bytes_freed: int = 0
    retries: int = 0
    failures: int = 0
    messages: list[str] = []
    metrics_file: str | None = None

    def fail(self, message: str) -> None:
        """Count a failure, and keep its words where it is among the first."""
        self.failures += 1
        if len(self.messages) < MOST_MESSAGES:
            self.messages.append(message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]} …")


def encode(record: RunRecord) -> bytes:
    """The record as JSON, a key a line."""
    # Names of files may hold bytes that are no text; they are kept as escapes.
    plain = _plain(msgspec.to_builtins(record))
    return msgspec.json.format(msgspec.json.encode(plain), indent=2) + b"\n"


def decode(data: bytes) -> RunRecord:
    """The record that JSON holds; keys of later versions are ignored. ValueError where it is none."""
    return msgspec.json.decode(data, type=RunRecord)


def _plain(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return {key: _plain(each) for key, each in value.items()} if isinstance(value, dict) else value
