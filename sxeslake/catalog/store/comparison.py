"""Whether two catalogues say the same: rows and a hash of all rows, table by table, in whatever order they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sxeslake.catalog.schema.tables import TABLES
from sxeslake.catalog.store.database import Database
from sxeslake.text.html import HtmlRecord


@dataclass(frozen=True, slots=True)
class TableDigest:
    """A table's rows, and the sum of their 64-bit hashes."""

    rows: int
    hashes: str


@dataclass(frozen=True, slots=True)
class TableProof:
    """One table of two catalogues; no rows `before` where it could not be read."""

    table: str
    rows: int
    rows_before: int | None
    equal: bool


@dataclass(frozen=True, slots=True)
class Rebuilt(HtmlRecord):
    """A rebuilt catalogue, compared with the one that was there.

    Attributes
    ----------
    equal : bool
        Whether the one that was here is equal.
    commit : int
        The commit that it is of.
    tables : tuple of TableProof
        The comparison of each table.

    Examples
    --------
    >>> made = lake.rebuild_catalog()
    >>> made.equal, all(proof.equal for proof in made.tables)
    (True, True)
    """

    equal: bool
    commit: int
    tables: tuple[TableProof, ...]


def extents(database: Database) -> dict[str, TableDigest]:
    """Every table's extent."""
    return {table.name: extent(database, table.name) for table in TABLES}


def extent(database: Database, table: str, condition: str = "true") -> TableDigest:
    """The extent of the rows of one table that fit a condition."""
    # A sum, for equal rows would cancel out in an exclusive or.
    sql = (
        "SELECT count(*) AS n, coalesce(sum(hash(t)::HUGEINT), 0)::VARCHAR AS hashes "
        f"FROM {table} AS t WHERE {condition}"
    )
    (row,) = database.table(sql).to_pylist()
    return TableDigest(row["n"], row["hashes"])


def compare(before: Mapping[str, TableDigest] | None, after: Mapping[str, TableDigest], commit: int) -> Rebuilt:
    """The proof that two catalogues are equal, or where they part."""
    was = before or {}
    proofs = tuple(
        TableProof(name, now.rows, was[name].rows if name in was else None, was.get(name) == now)
        for name, now in after.items()
    )
    return Rebuilt(all(proof.equal for proof in proofs), commit, proofs)
