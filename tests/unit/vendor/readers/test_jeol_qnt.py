"""JEOL point analyses: tables a quantity, and the export of results."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.vendor_files import MemoryTree, keyed_lines, real_vendor_files, seen_by, values_of

from sxeslake.vendor.quant import parse_summary
from sxeslake.vendor.readers.jeol_qnt import JeolQnt

READER = JeolQnt()
TABLES = {
    "elint.qnt": "1 2 Si Mg\n2 2 Si Mg\n",
    "elem.qnt": "1 2 SiO2 MgO\n2 2 SiO2 MgO\n",
    "wt.qnt": " 1  2  40.5  50.25  90.75\n 2  2  41.0  ---  41.0\n",
    "net.qnt": "1 2 1000.5 20 1020.5\n2 2 900 10 910\n",
    "stg.qnt": "1 a b 1 22.5 -8.25 10.75 0 0 olivine   core\n2 a b 2 23 -8 10.5 0 0\n",
    "mes.qnt": "1 1 1.000e-08\n2 1 ---\n",
}
SUMMARY = (
    '"Point","Comment","X","Y","Z","SiO2(Mass%)","MgO(Mass%)","Total(Mass%)","Si(Cation)"\r\n'
    '"1","olivine, core","22.5","-8.25","10.75","40.5","50.25","90.75","0.99"\r\n'
    '"2","rim","23","-8","---","41.0","","41.0","1.01"\r\n'
    '"Average","","","","","40.75","50.25","",""\r\n'
)


def folder(tables: Mapping[str, str], name: str = "s/.qnt") -> MemoryTree:
    return MemoryTree({f"{name}/{table}": text.encode("cp932") for table, text in tables.items()})


def test_points_have_place_comment_current_and_a_row_an_element() -> None:
    times = "1 Back +[mm]\n10 Peak Meas. Time [sec]\n2 Back +[mm]\n20 Peak Meas. Time [sec]\n"
    tree = folder({**TABLES, ".cnd/elemw.cnd": times})
    seen = seen_by(READER, tree)
    first, second = seen.positions
    assert (first.name, first.comment) == ("1", "olivine core")
    assert first.state == {
        "stage": {"x": 22.5, "y": -8.25, "z": 10.75},
        "probe": {"current": {"average": "1.000e-08"}},
    }
    assert "probe" not in second.state
    (array,) = first.arrays
    assert array.extra["rows"] == ["Si", "Mg"]
    assert array.extra["components"] == ["SiO2", "MgO"]
    assert array.extra["columns"] == [{"name": "net", "unit": "cps/µA"}, {"name": "wt", "unit": "mass%"}]
    assert values_of(tree, array).tolist() == [[1000.5, 40.5], [20.0, 50.25]]
    assert np.isnan(values_of(tree, second.arrays[0])[1, 1])
    (document,) = seen.analyses[0].documents
    assert (document.schema, document.about) == ("sxeslake/quant/1", ("1", "2"))
    assert document.data["points"][0]["totals"] == {"net": 1020.5, "wt": 90.75}
    assert document.data["points"][1]["values"] == [[900.0, 41.0], [10.0, None]]
    assert [element["Peak Meas. Time [sec]"] for element in document.data["elements"]] == ["10", "20"]
    assert seen.warnings == []


def test_a_qnt_folder_of_a_pc_has_kilovolts_and_spectrometers_of_its_conditions() -> None:
    keys = {
        "XM_ANALYSIS_INSTRUMENT": "JXA-8230",
        "XM_CP_PROJECT_NAME": "day",
        "XM_EC_ACCEL_VOLT": "15.0",
        "XM_DATA_PROBE_CURRENT": "9.9e-009",
        "XM_ELEM_NAME%0": "Si",
        "XM_ELEM_WDS_CHANNEL_NO%0": "0",
        "XM_ELEM_NAME%1": "Mg",
        "XM_ELEM_WDS_CHANNEL_NO%1": "3",
        "XM_ELEM_WDS_CRYSTAL_NAME%1": "TAP",
    }
    tree = MemoryTree(
        {
            **{f"day_0001_QNT/{name}": text.encode() for name, text in TABLES.items()},
            "day_0001_QNT/Pos_0001/data001.cnd": keyed_lines(keys),
        }
    )
    seen = seen_by(READER, tree)
    assert (seen.analyses[0].name, seen.analyses[0].instrument) == ("day_0001_QNT", "JXA-8230")
    assert seen.analyses[0].project == "day"
    first, second = seen.positions
    assert first.state["probe"] == {"acceleratingVoltage": "15.0", "current": {"average": "1.000e-08"}}
    assert second.state["probe"]["current"] == {"average": "9.9e-009"}
    assert [channel["spectrometer"] for channel in first.condition["wds"]["channels"]] == [1, 4]
    assert first.raw_condition["XM_ELEM_NAME%1"] == "Mg"


def test_an_export_alone_gives_points_and_leaves_its_statistics_out() -> None:
    tree = MemoryTree({"summary.csv": SUMMARY.encode()}, name="day_0001_QNT")
    seen = seen_by(READER, tree)
    first, second = seen.positions
    assert (first.name, first.comment, second.comment) == ("1", "olivine, core", "rim")
    assert second.state == {"stage": {"x": 23.0, "y": -8.0}}
    array = first.arrays[0]
    assert array.extra["rows"] == ["SiO2", "MgO", "Si"]
    assert [column["name"] for column in array.extra["columns"]] == ["Mass%", "Cation"]
    values = values_of(tree, array)
    assert values[0, 0] == 40.5
    assert np.isnan(values[0, 1])
    assert values[2, 1] == 0.99
    assert seen.analyses[0].documents[0].data["points"][0]["totals"] == {"Mass%": 90.75}


def test_an_export_beside_tables_is_a_second_document_of_the_same_points() -> None:
    seen = seen_by(READER, folder({**TABLES, "summary.csv": SUMMARY}))
    assert len(seen.positions) == 2
    assert [document.data["source"] for document in seen.analyses[0].documents] == ["s/.qnt", "s/.qnt/summary.csv"]
    assert all(document.about == ("1", "2") for document in seen.analyses[0].documents)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_exports_with_decimal_commas_and_japanese_comments_are_read(separator: str) -> None:
    lines = [["Point", "Comment", "X", "Y", "Z", "Si(Mass%)"], ["1", "試料", "1,5", "2", "3", "46,7"]]
    text = "\n".join(separator.join(line) for line in lines)
    seen = seen_by(READER, MemoryTree({"r.csv": text.encode("cp932")}))
    (point,) = seen.positions
    assert (point.comment, point.state["stage"]["x"]) == ("試料", 1.5)
    assert seen.analyses[0].documents[0].data["points"][0]["values"] == [[46.7]]


def test_conditions_of_a_folder_whose_name_begins_the_same_are_not_taken() -> None:
    keys = keyed_lines({"XM_ANALYSIS_INSTRUMENT": "JXA-8230"})
    files = {f"day/{name}": text.encode() for name, text in TABLES.items()}
    (finding,) = READER.classify(MemoryTree({**files, "day2/Pos_0001/data001.cnd": keys}))
    assert "day2/Pos_0001/data001.cnd" not in finding.files


UNIX = (
    "Group : day 1\n\n No.   SiO2    MgO  Total  Comment\n"
    "   1\t 40.5\t 50.25\t 90.75\tolivine core\n   2\t 41,0\t ---\t 41.0\t\n\nMinimum\t 40.5\t50.25\t 41.0\n"
)
STAGE = " No.   X   Y   Z   Comment\n   1\t 22.5\t 82.0\t 10.9\tolivine core\n   2\t23.0\t81.5\t\trim\n"


@pytest.mark.parametrize("change", ["\t", "   "])
def test_an_export_of_a_unix_time_instrument_has_its_places_in_a_file_of_its_own(change: str) -> None:
    files = {
        "summary.txt": UNIX.replace("\t", change).encode(),
        "stage.txt": STAGE.encode(),
        "a.txt": b"No. X Y Comment\n",
    }
    seen = seen_by(READER, MemoryTree({f"d/{name}": data for name, data in files.items()}))
    first, second = seen.positions
    assert (first.name, first.comment, first.state["stage"]) == ("1", "olivine core", {"x": 22.5, "y": 82.0, "z": 10.9})
    assert second.state["stage"] == {"x": 23.0, "y": 81.5}
    assert first.arrays[0].extra == {"rows": ["SiO2", "MgO"], "columns": [{"name": "Mass%", "unit": "Mass%"}]}
    points = seen.analyses[0].documents[0].data["points"]
    assert [point["values"] for point in points] == [[[40.5], [50.25]], [[41.0], [None]]]
    assert points[0]["totals"] == {"Mass%": 90.75}
    assert seen.warnings == []


def test_a_unix_export_without_its_places_is_named_and_read() -> None:
    seen = seen_by(READER, MemoryTree({"summary.txt": UNIX.encode("cp932"), "notes.txt": b"No. of samples\tX\n"}))
    assert [position.state for position in seen.positions] == [{}, {}]
    assert "its stage.txt is missing" in seen.said
    assert seen.findings[0].files == ("summary.txt",)


@given(st.text(max_size=80), st.integers(0, 150))
def test_any_text_in_a_unix_export_is_read_or_left(text: str, cut: int) -> None:
    files = {"summary.txt": UNIX[:cut] + text + UNIX[cut:], "stage.txt": STAGE[:cut] + text, "t.txt": UNIX[:cut] + text}
    seen_by(READER, MemoryTree({name: each.encode("utf-8", "replace") for name, each in files.items()}))


def test_points_of_several_runs_in_one_export_are_told_apart() -> None:
    table = parse_summary(SUMMARY + '"1","again","1","2","3","4","5","9","1"\r\n')
    assert [point.name for point in table.points] == ["1", "2", "1 (2)"]


def test_a_point_without_all_its_values_is_named_and_read() -> None:
    seen = seen_by(READER, folder({**TABLES, "net.qnt": "1 2 1000.5\n"}))
    assert "s/.qnt/net.qnt: point 1 has not all its 2 values" in seen.said
    assert "s/.qnt/net.qnt: point 2 has not all its 2 values" in seen.said
    points = seen.analyses[0].documents[0].data["points"]
    assert points[0]["values"] == [[1000.5, 40.5], [None, 50.25]]
    assert points[1]["values"] == [[None, 41.0], [None, None]]


def test_tables_of_words_alone_and_other_texts_are_no_point_analysis() -> None:
    words = {name: TABLES[name] for name in ("elem.qnt", "stg.qnt")}
    assert list(READER.classify(folder({**words, "a.csv": "Point,Comment\n", "b.csv": "", "c.txt": "Mass%"}))) == []


def test_an_absurd_number_of_elements_is_no_table() -> None:
    tree = folder({"wt.qnt": "1 4000000000 1 2\n2 2 1.5 2.5 4\n", "net.qnt": "x y z\n"})
    assert [position.name for position in seen_by(READER, tree).positions] == ["2"]


@given(st.dictionaries(st.sampled_from([*TABLES, "summary.csv", "peak.qnt", ".cnd/elemw.cnd"]), st.text(max_size=80)))
def test_any_texts_are_read_or_left(changes: Mapping[str, str]) -> None:
    tables = {**TABLES, "summary.csv": SUMMARY, **changes}
    tree = MemoryTree({f"../q/{name}": text.encode("utf-8", "replace") for name, text in tables.items()})
    seen_by(READER, tree)
    cut = {name: text[: len(text) // 2] for name, text in tables.items()}
    seen_by(READER, MemoryTree({name: text.encode("utf-8", "replace") for name, text in cut.items()}))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_left(data: bytes) -> None:
    header = b"Point,Comment,X,Y,Z,SiO2(Mass%)\n"
    seen_by(READER, MemoryTree({"wt.qnt": data, "elint.qnt": data, "stg.qnt": data, "s.csv": header + data}))


def test_the_synthetic_folder_is_read() -> None:
    tree = real_vendor_files("atusy+qntmap", "inst", "extdata", "minimal")
    seen = seen_by(READER, tree)
    assert len(seen.positions) > 20
    first = seen.positions[0]
    assert (first.comment, first.state["stage"]) == ("Qtz", {"x": 22.0, "y": 82.0, "z": 1.0})
    columns = [column["name"] for column in first.arrays[0].extra["columns"]]
    values = values_of(tree, first.arrays[0])
    assert values[:, columns.index("net")].tolist() == [984280, 0]
    assert values[:, columns.index("wt")].tolist() == [100, 0]
    assert seen.analyses[0].documents[0].data["elements"][0]["Peak Meas. Time [sec]"] == "10"
