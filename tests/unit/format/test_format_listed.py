"""Where positions are listed, beside their rows: there for those who ask, unseen by those who do not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from sxeslake.archive.sxes.listing import Place
from sxeslake.errors import DamagedLakeError
from sxeslake.format.manifest import LISTED, SCHEMA, Manifest, ManifestBuilder, RowRange, digest_column, footer_bytes

ID = "ab" * 16


def table(*paths: str, places: dict[str, Place] | None = None) -> pa.Table:
    """Rows of empty files, with their places where any are given."""
    count = len(paths)
    columns = {field.name: pa.nulls(count, field.type) for field in SCHEMA}
    columns |= {
        "path": pa.array(paths),
        "ordinal": pa.array(range(count), pa.uint32()),
        "directory": pa.array([False] * count),
        "size": pa.array([0] * count, pa.uint64()),
        "blake3": digest_column(np.zeros((count, 32), np.uint8)),
    }
    made = pa.table(columns, schema=SCHEMA)
    for at, field in enumerate(LISTED if places is not None else ()):
        listed = [places[path][at] if places and path in places else None for path in paths]
        made = made.append_column(field, pa.array(listed, field.type))
    return made


def built(*parts: tuple[pa.Table, dict[str, object] | None]) -> tuple[Manifest, bytes, list[RowRange]]:
    builder, ranges = ManifestBuilder(), []
    for rows, outline in parts:
        if outline is not None:
            builder.outline(outline)
        ranges.append(builder.add([rows]))
    data = builder.finish()
    return Manifest(ID, len(data), data[-footer_bytes(data) :]), data, ranges


def test_places_and_outlines_belong_to_their_archive() -> None:
    outline: dict[str, object] = {"analyses": [{"uuid": "a", "positionUuids": []}]}
    large = table("data/u/info.json", "data/u/xes.data", places={"data/u/info.json": Place(0, 7)})
    manifest, data, (small, listed) = built((table("a.txt"), None), (large, outline))
    assert (manifest.outline(small), manifest.outline(listed)) == (None, outline)
    with_places = manifest.table([1], [(0, data)], listed=True)
    assert [with_places[name].to_pylist() for name in LISTED.names] == [[0, None], [7, None]]
    assert manifest.table([0], [(0, data)], listed=True)["listed_at"].to_pylist() == [None]
    plain = manifest.table([0, 1], [(0, data)])
    assert plain.column_names == SCHEMA.names
    assert [row.member.path for row in manifest.rows(with_places)] == ["data/u/info.json", "data/u/xes.data"]


@pytest.mark.parametrize("outlines", ["[]", "5", '"x"'])
def test_outlines_of_another_form_are_damage(outlines: str) -> None:
    _, data, _ = built((table("a.txt"), {"analyses": []}))
    wanted = b'"outlines": {"0": {"analyses": []}}'
    assert data.count(wanted) == 1
    forged = f'"outlines": {outlines}'.encode()
    broken = data.replace(wanted, forged + b" " * (len(wanted) - len(forged)))
    with pytest.raises(DamagedLakeError):
        Manifest(ID, len(broken), broken[-footer_bytes(broken) :])
