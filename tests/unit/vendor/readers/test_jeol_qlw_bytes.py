"""A `_QLW` directory gives the bytes that a converted archive of the same measurement has: nothing is stored twice."""

from __future__ import annotations

from pathlib import Path

from support.vendor_qlw import raw_directory

from sxeslake.archive.sxes.documents.text import dump
from sxeslake.archive.synthetic import synthetic_map
from sxeslake.vendor.readers.jeol_qlw import JeolQlw
from sxeslake.vendor.records import ArrayRecord, Warned
from sxeslake.vendor.tree import FolderTree


def test_bytes_are_those_of_a_converted_archive(tmp_path: Path) -> None:
    members = {member.path: data for member, data in synthetic_map(3, 2, 1)}
    uuids = sorted({path.split("/")[1] for path in members if path.startswith("data/")})
    raw_directory(tmp_path / "steel_0001_QLW", members, uuids)
    tree, warned = FolderTree(tmp_path), list[Warned]()
    [finding] = JeolQlw().classify(tree)
    assert set(finding.files) == set(tree.sizes)
    [analysis] = JeolQlw().read(tree, finding, warned.append)

    def stored(array: ArrayRecord | None) -> bytes:
        assert array is not None
        assert array.span is not None
        return tree.read(array.span.path, array.span.offset, array.span.length)

    shared = {path.split("/")[0]: data for path, data in members.items() if not path.startswith("data/")}
    positions = list(analysis.positions())
    assert len(positions) == len(uuids) == 2
    for uuid, position in zip(uuids, positions, strict=True):
        assert {array.name: stored(array) for array in position.arrays} == {
            name: members[f"data/{uuid}/{name}.data"] for name in ("xes", "qlw")
        }
        assert stored(position.background) == shared["backgrounds"]
        assert dump(position.condition) == shared["conditions"]
        assert dump(position.state) == members[f"data/{uuid}/state.json"]
    assert not warned
