"""The declared schema: what it promises to everyone who builds on it."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from sxeslake.catalog.schema.registry import Column, Table, fingerprint
from sxeslake.catalog.schema.tables import BY_NAME, FINGERPRINT, TABLES

PROMISED_POSITIONS = """
    sample version archive_id position_uuid analysis_uuid position_number comment operator project
    acquired_local acquired_at accelerating_voltage_kv probe_current_na probe_current_source
    probe_current_target_na magnification probe_diameter_um stage_x_mm stage_y_mm stage_z_mm tilt_deg
    ccd_temperature_c condition_id background_id background_corrected grating spectrometer ccd_name
    accumulation gain technique element line crystal order exposure_s dwell_ms types content_id
    archive_format_version
"""
PROMISED_MAPS = """
    sample version analysis_uuid analysis_name kind kind_inferred positions accelerating_voltage_kv
    probe_current_na grating spectrometer instrument acquired_at
"""
UNITS = {"kv": "kV", "na": "nA", "mm": "mm", "um": "µm", "s": "s", "ms": "ms", "deg": "°", "c": "°C"}


def test_all_tables_of_the_design_exist() -> None:
    assert set(BY_NAME) == {
        "archives", "members", "projects", "analyses", "positions", "images", "conditions", "raw_conditions",
        "backgrounds", "maps", "map_channels", "arrays", "documents", "annotations", "blobs", "packs",
    }  # fmt: skip


@pytest.mark.parametrize(("table", "columns"), [("positions", PROMISED_POSITIONS), ("analyses", PROMISED_MAPS)])
def test_promised_columns_exist(table: str, columns: str) -> None:
    assert set(columns.split()) <= {column.name for column in BY_NAME[table].columns}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_is_documented_and_named_once(table: Table) -> None:
    names = [column.name for column in table.columns]
    assert len(names) == len(set(names))
    for column in table.columns:
        assert column.help.endswith((".", "…")), column.name
        assert column.source, column.name


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_units_in_names_are_the_units_declared(table: Table) -> None:
    for column in table.columns:
        match = re.search(r"_(kv|na|mm|um|s|ms|deg|c)$", column.name)
        if match and column.type == "DOUBLE":
            assert column.unit == UNITS[match[1]], column.name


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_clusters_name_stored_columns_and_arrow_has_them_all(table: Table) -> None:
    stored = {column.name for column in table.stored}
    assert set(table.cluster) <= stored
    assert set(table.arrow.names) == stored
    assert table.retire is None or table.retire in stored


def test_a_column_more_changes_the_fingerprint_and_a_help_text_does_not() -> None:
    column = Column("a", "BIGINT", "A.", source="x")
    one = (Table("t", "T.", (column,)),)
    other = (Table("t", "T.", (Column("a", "BIGINT", "B.", source="x"),)),)
    more = (Table("t", "T.", (column, Column("b", "BIGINT", "B.", source="x"))),)
    assert fingerprint(one) == fingerprint(other) != fingerprint(more)
    assert fingerprint(TABLES) == FINGERPRINT


def test_timestamps_say_whether_they_are_utc() -> None:
    positions = BY_NAME["positions"].arrow
    assert positions.field("acquired_local").type == pa.timestamp("us")
    assert BY_NAME["archives"].arrow.field("ingested_at").type == pa.timestamp("us", tz="UTC")
    with pytest.raises(KeyError):
        BY_NAME["positions"].column("acelerating_voltage_kv")
