"""Which rows of `analyses` and `positions` are copies: the SQL by which questions count each measurement once. Pure.

Two positions are one measurement if UUID and content (arrays, time, place, beam) are equal: the column `measurement`.
An analysis is a copy if each of its positions is also in another analysis of that UUID that stands for it.

A measurement is represented by the sample that had it first, in that sample's newest version; an analysis first of all
by the row with most positions, so that a part gives way to the whole, and a map to the one that it grew into.
Only rows that fit a condition are compared: a copy that alone fits is no copy.
"""

from __future__ import annotations

from typing import Final

from sxeslake.catalog.query.conditions import Over

IDS: Final[dict[Over, str]] = {"analyses": "analysis_uuid", "positions": "position_uuid"}

MEASUREMENT: Final = (
    "position_uuid || ':' || coalesce(content_id, md5(concat_ws('|', acquired_local, accelerating_voltage_kv, "
    "probe_current_na, stage_x_mm, stage_y_mm, stage_z_mm, condition_id)))"
)
"""What copies of a position have in common; without data arrays, what its metadata say of it."""

_OLDEST_FIRST: Final = "first_archive_id, archive_id DESC"


def copies_among(over: Over, alias: str, condition: str = "true") -> str:
    """A SELECT of `archive_id` and `uuid` of the rows that fit and are copies of others that fit.

    `condition` is on columns of `alias`, an alias of the table `over`. Only UUIDs that occur more than once are
    looked at in full: a lake without copies pays for counting UUIDs.
    """
    uuid = IDS[over]
    size = "1" if over == "positions" else f"{alias}.positions"
    return (
        f"WITH fitting AS MATERIALIZED (SELECT {alias}.archive_id, /*lakes: {alias}.lake, */ {alias}.sample, "
        f"{alias}.{uuid} AS uuid, hash({alias}.{uuid}) AS hashed, {size} AS positions FROM {over} AS {alias} "
        f"WHERE {alias}.{uuid} IS NOT NULL AND ({condition})), "
        # Numbers are counted much faster than texts; UUIDs with one hash are told apart below.
        "several AS MATERIALIZED (FROM fitting SEMI JOIN "
        "(SELECT hashed FROM fitting GROUP BY hashed HAVING count(*) > 1) USING (hashed)), "
        f"measured AS (SELECT archive_id, {uuid} AS uuid, measurement FROM positions "
        f"WHERE {uuid} IN (SELECT uuid FROM several)), "
        "dated AS (SELECT s.*, m.measurement, min(s.archive_id) "
        "OVER (PARTITION BY s.uuid, m.measurement, s.positions, /*lakes: s.lake, */ s.sample) AS first_archive_id "
        "FROM several AS s LEFT JOIN measured AS m ON m.archive_id = s.archive_id AND m.uuid = s.uuid), "
        "placed AS (SELECT archive_id, uuid, row_number() OVER (PARTITION BY uuid, measurement "
        f"ORDER BY positions DESC, {_OLDEST_FIRST}) AS place FROM dated) "
        "SELECT archive_id, uuid FROM placed GROUP BY archive_id, uuid HAVING min(place) > 1"
    )


def any_repeated(over: Over) -> str:
    """A SELECT with a row if a UUID occurs more than once in the table: without one there are no copies."""
    uuid = IDS[over]
    return (
        f"SELECT 1 FROM (SELECT hash({uuid}) AS hashed FROM {over} WHERE {uuid} IS NOT NULL) "
        "HAVING count(*) > count(DISTINCT hashed)"
    )


def without_copies(over: Over, alias: str, condition: str = "true") -> str:
    """The condition with which each measurement comes once: what fits, and is no copy of what fits."""
    key = f"({alias}.archive_id, coalesce({alias}.{IDS[over]}, ''))"
    return f"(({condition}) AND {key} NOT IN ({copies_among(over, alias, condition)}))"
