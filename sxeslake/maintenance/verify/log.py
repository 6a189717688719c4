"""Verifying `lake.json`, the log, and the copies of the log in checkpoints."""

from __future__ import annotations

from collections.abc import Callable

from sxeslake.errors import DamagedLakeError, ObjectNotFoundError, ReadOnlyError
from sxeslake.format import checkpoint, keys, logentry
from sxeslake.format.lakefile import LakeParameters
from sxeslake.machine.concurrency import in_order
from sxeslake.maintenance.report import Problem, VerifyReport
from sxeslake.maintenance.verify.findings import Findings
from sxeslake.text.wording import said
from sxeslake.vault.log import reader as log
from sxeslake.vault.log import segments
from sxeslake.vault.log.state import LogRecord
from sxeslake.vault.vault import Vault

_READERS = 8


class LogCheck:
    """Looks at everything below `log/`, and at `lake.json`."""

    def __init__(self, vault: Vault, report: VerifyReport, findings: Findings) -> None:
        self._vault, self._report, self._findings = vault, report, findings

    def run(self, *, checkpoints: bool) -> None:
        """Problems are collected, not raised; `checkpoints` reads what is only derived, too."""
        self._lake_file()
        self._entries()
        self._void_items()
        if checkpoints:
            self._segments()

    def _problem(self, kind: str, key: str, detail: str, affects: list[str]) -> None:
        self._report.problems.append(Problem(kind, key, detail, affects))

    def _lake_file(self) -> None:
        """A lake without this text has no parameters, so every archive needs it."""
        store, detail = self._vault.store, ""
        try:
            data = store.get(keys.LAKE)
            if not LakeParameters.load(data, where=keys.LAKE).wrote(data):
                detail = "it does not agree with its hash"
        except DamagedLakeError as error:
            detail = error.what
        except ObjectNotFoundError:
            detail = "it is missing"
        if detail:
            self._findings.lake_file = True
            self._problem("lake", keys.LAKE, detail, [version.name for version in self._vault.state.versions()])

    def _entries(self) -> None:
        """Every entry, read from the bucket again: its hash, and that of the one before."""
        previous = None
        told = {damage.number: damage for damage in self._vault.damage}
        folded = {number: digest for number, digest, *_ in self._vault.state.log()}
        jobs = (self._reading(number) for number in folded)
        for number, (found, reason) in zip(folded, in_order(jobs, threads=_READERS), strict=True):
            self._report.checked.log_entries += 1
            if found is None:
                names = told[number].names if number in told else self._named_by(number)
                self._bad_entry(number, reason, names)
            elif found.entry.previous != previous or found.digest != folded[number] or number in told:
                detail = told[number].detail if number in told else "the chain of the log is broken here"
                self._bad_entry(number, detail, log.named_by(found.entry))
            previous = folded[number]
        head = log.newest_behind(self._vault.store, len(folded))
        for number in log.listed_behind(self._vault.store, head):
            self._findings.strays.append(number)
            self._problem("log", keys.log_key(number), "it is too far behind the end of the log to be a part of it", [])
        for number in range(len(folded) + 1, head + 1):
            detail = told[number].detail if number in told else "an entry before this one is missing"
            self._bad_entry(number, detail, told[number].names if number in told else [])

    def _void_items(self) -> None:
        """Items that break a rule: every reader passes them over, so nothing else is touched."""
        for number, items in self._vault.state.void().items():
            for item in items:
                self._problem("log", keys.log_key(number), f"{item.what} is void: {item.why}", [])

    def _bad_entry(self, number: int, detail: str, affects: list[str]) -> None:
        self._findings.log_entries.append(number)
        self._problem("log", keys.log_key(number), detail, affects)

    def _reading(self, number: int) -> Callable[[], tuple[LogRecord | None, str]]:
        def job() -> tuple[LogRecord | None, str]:
            try:
                return log.read_entry(self._vault.store, number), ""
            except (DamagedLakeError, ReadOnlyError) as error:
                return None, error.what
            except ObjectNotFoundError as error:
                return None, f"missing: {error}"

        return job

    def _named_by(self, number: int) -> list[str]:
        ((data, body),) = self._vault.state.select("SELECT data, body FROM entries WHERE number = ?", (number,))
        return log.named_by(logentry.load(data, body, where=keys.log_key(number)))

    def _segments(self) -> None:
        for number in segments.published_numbers(self._vault.store):
            index = segments.load(self._vault.store, number)
            if index is None:
                self._bad_checkpoint(checkpoint.index_key(number), "the index of the log cannot be read")
                continue
            if self._vault.state.digest(number) not in (None, index.entry_hash):
                self._bad_checkpoint(checkpoint.index_key(number), "it is not of this log")
                continue
            try:
                for _ in segments.entries(self._vault.store, index):
                    pass
            except (DamagedLakeError, ObjectNotFoundError) as error:
                self._bad_checkpoint(error.where or checkpoint.index_key(number), error.what)

    def _bad_checkpoint(self, key: str, detail: str) -> None:
        self._findings.checkpoints = True
        self._problem("checkpoint", key, f"{detail}; {said('`sxeslake repair`')} rebuilds it", [])
