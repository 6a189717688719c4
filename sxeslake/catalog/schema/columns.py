"""Columns that several tables of the catalogue have, and short words to declare the others with."""

# ruff: noqa: E501 - a declaration reads best on one line

from __future__ import annotations

from typing import Final

from sxeslake.catalog.schema.registry import Column

_ARCHIVE_ID: Final = Column(
    "archive_id",
    "BIGINT",
    "Number of this archive version in the lake; joins every table.",
    source="log entry",
    conversion="log number × 2^20 + place in the entry",
)
_SAMPLE: Final = Column("sample", "VARCHAR", "Name under which the archive's versions live.", source="log entry")
_VERSION: Final = Column("version", "INTEGER", "Version number of the sample, from 1.", source="log entry")
OWNER: Final = (_ARCHIVE_ID, _SAMPLE, _VERSION)

LOCAL: Final = "YYYY/MM/DD hh:mm:ss → timestamp without time zone, as the instrument's clock showed it"
_UTC: Final = "acquired_local in the time zone configured for the instrument; null without one, and in a repeated or skipped hour of a clock change"
NUMBER: Final = "number, or string that holds one → double; anything else → null"


def text(name: str, help_: str, source: str, conversion: str | None = "empty → null") -> Column:
    """A text, `name VARCHAR`."""
    return Column(name, "VARCHAR", help_, source=source, conversion=conversion)


def count(name: str, help_: str, source: str | None = None) -> Column:
    """A count of something."""
    return Column(name, "BIGINT", help_, unit="count", source=source)


def size(name: str, help_: str, source: str | None = None) -> Column:
    """A size in bytes."""
    return Column(name, "BIGINT", help_, unit="B", source=source)


def number(name: str, help_: str, unit: str | None, source: str, conversion: str = NUMBER) -> Column:
    """A measured number with its unit."""
    return Column(name, "DOUBLE", help_, unit=unit, source=source, conversion=conversion)


FORMAT_VERSION: Final = text(
    "archive_format_version", "Version of the sxes format that the archive states.", "metadata.json version"
)
ACQUIRED_AT: Final = Column(
    "acquired_at",
    "TIMESTAMP WITH TIME ZONE",
    "When it was acquired, UTC.",
    unit="UTC",
    source="acquired_local",
    conversion=_UTC,
    derived=True,
)
