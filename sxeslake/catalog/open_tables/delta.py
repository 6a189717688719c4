"""The log of one Delta table, over the package deltalake: what the table holds, and one transaction after another."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sxeslake import extras
from sxeslake.errors import ConflictError, StorageError
from sxeslake.storage.object_store import ObjectStorePlace

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from deltalake.transaction import CommitProperties


class AddedFile(NamedTuple):
    """A file that a transaction adds; it is there already."""

    name: str
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class DeltaState:
    """The table as its log has it; `commit` is that of the lake which it was published at."""

    table: DeltaTable
    commit: int
    files: frozenset[str]
    same_columns: bool

    @property
    def version(self) -> int:
        """The version of the table."""
        return int(self.table.version())


class DeltaLog:
    """The log of the table at a place. It belongs to one lake, whose commits it counts as transactions of an app.

    No transaction is built on another than the state that it was planned from: of two publishers at once, one is
    refused, and plans again.
    """

    def __init__(self, place: ObjectStorePlace, name: str, help_text: str, columns: pa.Schema, lake_id: str) -> None:
        self._delta: Any = extras.load("deltalake", "delta", "publishing tables")
        self._actions: Any = extras.load("deltalake.transaction", "delta", "publishing tables")
        self._place, self._name, self._help = place, name, help_text
        self._columns = self._delta.Schema.from_arrow(columns)
        self._app = f"sxeslake:{lake_id}"

    def state(self) -> DeltaState | None:
        """What is published; None where no table is yet. ConflictError where it is not of this lake."""
        with self._said():
            if not self._delta.DeltaTable.is_deltatable(self._place.uri, dict(self._place.options)):
                return None
            table = self._delta.DeltaTable(self._place.uri, storage_options=dict(self._place.options))
            commit = table.transaction_version(self._app)
            if commit is None:
                raise ConflictError(
                    "there is a Delta table that this lake has not published.",
                    where=self._place.uri,
                    hint="Name another place with --to URL.",
                )
            files = frozenset(table.get_add_actions()["path"].to_pylist())
            return DeltaState(table, commit, files, table.schema().to_json() == self._columns.to_json())

    def commit(
        self, state: DeltaState | None, added: Iterable[AddedFile], removed: Collection[str], number: int
    ) -> bool:
        """Add and remove files in one transaction, as of the lake's commit `number`; False where another came first."""
        now_ms = time.time_ns() // 1_000_000
        actions: list[Any] = [
            self._actions.AddAction(
                each.name, each.bytes, {}, now_ms, True, json.dumps({"numRecords": each.rows})
            )
            for each in added
        ]  # fmt: skip
        properties = self._actions.CommitProperties(
            app_transactions=[self._actions.Transaction(self._app, number)], max_commit_retries=0
        )
        try:
            with self._said():
                self._write(state, actions, removed, now_ms, properties)
        except self._delta.exceptions.DeltaError:
            latest = self.state()
            if (latest and latest.version) == (state and state.version):
                raise StorageError("the transaction was refused.", where=self._place.uri) from None
            return False
        return True

    def _write(
        self, state: DeltaState | None, actions: list[Any], removed: Collection[str], now_ms: int,
        properties: CommitProperties,
    ) -> None:  # fmt: skip
        if state is not None and state.same_columns:
            actions += [
                self._actions.RemoveAction(name, data_change=True, deletion_timestamp=now_ms)
                for name in sorted(removed)
            ]
            state.table.create_write_transaction(actions, "append", self._columns, commit_properties=properties)
            return
        self._actions.create_table_with_add_actions(
            self._place.uri,
            self._columns,
            actions,
            mode="error" if state is None else "overwrite",
            name=self._name,
            description=self._help,
            storage_options=dict(self._place.options),
            commit_properties=properties,
        )

    def vacuum(self, state: DeltaState, keep_hours: int) -> int:
        """Delete files that were removed from the table longer than that ago; says how many."""
        with self._said():
            return len(
                state.table.vacuum(retention_hours=keep_hours, dry_run=False, enforce_retention_duration=False)
            )  # fmt: skip

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Errors of storage in our words. The client's own message is left out: it may quote URLs with secrets."""
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"the log of the Delta table cannot be read or written ({type(error).__name__}).",
                where=self._place.uri,
                hint="Publishing tables needs to create, overwrite and delete objects there.",
            ) from None
