"""Every page with its JSON twin, its tables, its command line, and what it says of bad addresses."""

from __future__ import annotations

import html
import io
import json
import re
import shlex
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

import sxeslake
from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.cli.root import root
from sxeslake.lake import Lake
from sxeslake.web.app import create_app
from sxeslake.web.histories import LakeHistory
from sxeslake.web.options import ServeOptions
from sxeslake.web.pages import ENDPOINTS

MAP = "2019/chalcopyrite map@2"
PAGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("find", {"kv": "5"}),
    ("find", {"grating": "JS300N", "text": "map", "page": "1"}),
    ("archive", {"of": MAP}),
    ("analysis", {"of": MAP, "analysis": "1"}),
    ("analysis", {"of": MAP, "low": "160", "high": "200", "unit": "eV", "scale": "log"}),
    ("position", {"of": f"{MAP}:5"}),
    ("compare", {"p": [f"{MAP}:5", "2020/steel carbide:2"], "normalise": "current"}),
    ("compare", {"p": [f"{MAP}:5"], "standards": "1"}),
    ("compare", {}),
    ("questions", {}),
    ("question", {"q": "maps-by-beam-condition", "kv": "5"}),
    ("question", {"q": "positions-near"}),
    ("sql", {"sql": "SELECT count(*) AS n FROM positions"}),
    ("sql", {}),
    ("overview", {}),
)


def body(client: TestClient, page: str, **words: object) -> str:
    answer = client.get(page, params=words)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize(("page", "words"), PAGES)
def test_every_page_has_a_twin_for_programs_and_only_relative_addresses(
    client: TestClient, page: str, words: dict[str, str]
) -> None:
    answer = client.get(page, params=words)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    addresses = re.findall(r'(?:href|src|action|hx-get|data-spectra)="([^"]*)"', answer.text)
    assert addresses
    assert not [each for each in addresses if re.match(r"[a-z]+:|/", html.unescape(each))]
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=", answer.text)
    by_suffix = client.get(f"{page}.json", params=words)
    by_header = client.get(page, params=words, headers={"Accept": "application/json"})
    assert by_suffix.json() == by_header.json()
    assert by_suffix.json()["commit"] >= 3  # others of this process annotate
    assert client.head(page, params=words).status_code == 200


@pytest.mark.parametrize(("page", "words"), PAGES)
def test_every_link_of_a_page_leads_somewhere(client: TestClient, page: str, words: dict[str, str]) -> None:
    text = client.get(page, params=words).text
    found = {html.unescape(each) for each in re.findall(r'(?:href|src|data-spectra)="([^"#]*)"', text)}
    of_each_kind = {re.split(r"[?=&]", address)[0] + str(address.count("&")): address for address in sorted(found)}
    for address in of_each_kind.values():
        answer = client.get(address)
        explains = address.endswith("help/") and "make docs" in answer.text  # in a checkout without built pages
        assert answer.status_code in (200, 307) or explains, (address, answer.text)


@pytest.mark.parametrize(("page", "words"), PAGES)
def test_every_command_line_that_a_page_shows_can_be_parsed(
    client: TestClient, page: str, words: dict[str, str]
) -> None:
    text = client.get(page, params=words).text
    for line in re.findall(r"<code>(sxeslake [^<]*)</code></pre>", text):
        parts = shlex.split(html.unescape(line))[1:]
        context = click.Context(root, info_name="sxeslake")
        command = root.get_command(context, parts[0])
        assert command is not None
        command.make_context(parts[0], parts[1:], parent=context)


def test_one_lake_is_entered_at_once_and_unknown_addresses_are_not_found(client: TestClient) -> None:
    here = "http://localhost"
    assert client.get(f"{here}/").headers["location"] == "epma/find"
    assert client.get(f"{here}/epma/").headers["location"] == "find"
    for address in ("/nothing/find", "/epma/nothing", "/epma/find/deeper", "/static/nothing.css"):
        assert client.get(here + address).status_code == 404


def test_facets_count_what_the_other_choices_leave(client: TestClient) -> None:
    facets = {each["filter"]: each["values"] for each in client.get("find.json").json()["facets"]}
    assert facets["kv"] == {"5": 1, "10": 1, "15": 1}
    assert facets["kind"] == {"line": 2, "map": 1}
    assert facets["since"] == {"2019": 1, "2020": 1, "2021": 1}
    assert facets["annotation"] == {"operator_note=repolished": 1}
    chosen = client.get("find.json", params={"grating": "JS300N", "kv": "5"}).json()
    facets = {each["filter"]: each["values"] for each in chosen["facets"]}
    assert chosen["total"] == 1
    assert facets["kv"] == {"5": 1, "10": 1}  # the voltages of the grating, not of the voltage itself
    assert facets["grating"] == {"JS300N": 1}
    text = body(client, "find", grating="JS300N", kv="5")
    assert 'href="find?grating=JS300N&amp;kv=10"' in text  # choosing another voltage keeps the grating
    assert 'href="find?grating=JS300N"' in text  # and the chosen one can be left out


def test_nothing_found_says_what_to_do(client: TestClient) -> None:
    text = body(client, "find", kv="99")
    assert "widen a range" in text
    assert "leaves none of" in text
    assert "--kv" not in text.partition("The same by command")[0]
    missing = client.get("archive", params={"of": "chalcopyrit map"}).text
    assert '<p class="lines">No archive is called' in missing
    assert "`" not in missing


def test_the_analysis_is_the_roi_of_the_python_interface(client: TestClient, lake: Lake) -> None:
    expected = lake.roi(160, 200, MAP, analysis=1)
    words = {"of": MAP, "analysis": "1", "low": "160", "high": "200", "unit": "eV"}
    found = client.get("roi.json", params=words).json()
    assert found["positions"] == len(expected) == 12
    assert found["values"] == pytest.approx(expected.values.tolist(), rel=1e-6)
    assert found["is_lattice"]
    assert found["cells"] == [3, 4]
    image = client.get("map.png", params=words)
    assert image.headers["content-type"] == "image/png"
    assert image.content[16:24] == (4).to_bytes(4, "big") + (3).to_bytes(4, "big")
    assert client.get("scale.svg", params=words).text.startswith("<svg")


def test_a_selection_on_the_stage_is_summed(client: TestClient, lake: Lake) -> None:
    rows = list(lake.measured(MAP))
    places = client.get("places", params={"of": MAP, "analysis": "1"})
    assert np.frombuffer(places.content, "<f4").reshape(12, 3)[:, 0].tolist() == [row.number for row in rows]
    left = [row for row in rows if row.stage_x_mm is not None and row.stage_x_mm < 2.988]
    area = "2.9,-2 2.988,-2 2.988,2 2.9,2"
    answer = client.get("sum.f32", params={"of": MAP, "analysis": "1", "area": area})
    assert answer.headers["x-positions"] == str(len(left)) == "3"
    energy, total = np.frombuffer(answer.content, "<f4").reshape(2, -1)
    assert (np.diff(energy) > 0).all()
    spectra = lake.spectra("qlw", MAP, positions=",".join(str(row.number) for row in left))
    assert total[::-1] == pytest.approx(spectra.values.sum(axis=0), rel=1e-5)
    assert client.get("sum.f32", params={"of": MAP, "area": "0,0 1,0 1,1"}).status_code == 404
    assert client.get("sum.f32", params={"of": MAP, "area": "nonsense"}).status_code == 400


def test_spectra_are_floats_over_one_axis(client: TestClient, lake: Lake) -> None:
    answer = client.get("spectra.f32", params={"p": [f"{MAP}:2", f"{MAP}:3"], "normalise": "max"})
    values = np.frombuffer(answer.content, "<f4").reshape(3, 4095)
    assert answer.headers["x-shape"] == "3,4095"
    assert values[1:].max(axis=1).tolist() == [1, 1]
    other = client.get("spectra.f32", params={"p": [f"{MAP}:2", "2021/standards:1"], "axis": "energy"})
    assert other.status_code in (400, 422)  # another grating has no such axis


def test_standards_under_like_conditions_are_offered_and_ranked(client: TestClient) -> None:
    position = client.get("position.json", params={"of": f"{MAP}:5"}).json()
    assert [each["material"] for each in position["standards"]] == ["CuFeS2"]
    found = client.get("compare.json", params={"p": f"{MAP}:5", "standards": "1"}).json()
    assert [(each["name"], each["material"]) for each in found["compared"]] == [(f"{MAP}:1", "CuFeS2")]
    none = client.get("compare.json", params={"p": "2020/steel carbide:1", "standards": "1"}).json()
    assert "no standard has its conditions" in none["message"]
    assert none["drawn"] == ["2020/steel carbide@1:1"]


def test_a_position_tells_units_and_where_they_come_from(client: TestClient) -> None:
    found = client.get("position.json", params={"of": f"{MAP}:5"}).json()
    rows = {each["name"]: each for each in found["conditions"]}
    assert rows["accelerating_voltage_kv"]["unit"] == "kV"
    assert rows["probe_current_na"]["source"] == "state.json probe.current"
    assert rows["stage_x_mm"]["value"] == found["position"]["stage_x_mm"]
    assert any(path.endswith("state.json") for path in found["documents"])
    assert client.get("camera.png", params={"of": f"{MAP}:5"}).content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "words",
    [
        {"table": "find", "kv": "5"},
        {"table": "question", "q": "maps-by-beam-condition"},
        {"table": "sql", "sql": "SELECT 1 AS a"},
        {"table": "members", "of": MAP},
        {"table": "positions", "of": MAP, "positions": "1..3"},
        {"table": "compare", "p": [f"{MAP}:5", f"{MAP}:6"]},
        {"table": "history"},
        {"table": "history", "of": MAP},
        {"table": "dedup"},
    ],
)
def test_every_table_can_be_taken_away_in_four_formats(client: TestClient, words: dict[str, str]) -> None:
    answers = {
        form: client.get("rows", params={**words, "format": form}) for form in ("csv", "parquet", "json", "arrow")
    }
    assert {answer.status_code for answer in answers.values()} == {200}
    rows = json.loads(answers["json"].content)
    assert rows
    assert pq.read_table(io.BytesIO(answers["parquet"].content)).num_rows == len(rows)
    assert pa.ipc.open_stream(answers["arrow"].content).read_all().num_rows == len(rows)
    assert answers["csv"].text.splitlines()[0].replace('"', "") == ",".join(rows[0])
    assert "attachment" in answers["csv"].headers["content-disposition"]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("archive?of=nothing", 404),
        (f"archive?of={MAP[:-1]}9", 404),
        (f"analysis?of={MAP}&analysis=9", 404),
        (f"analysis?of={MAP}&analysis=none", 404),
        (f"position?of={MAP}:999", 404),
        (f"position?of={MAP}", 400),
        ("position", 400),
        ("find?kv=nonsense", 400),
        ("find?page=0", 400),
        ("question?q=no-such", 404),
        ("rows?table=nothing", 400),
        ("rows?table=sql&sql=DROP+TABLE+positions", 400),
        (f"roi?of={MAP}&low=1", 400),
        (f"roi?of={MAP}&low=1&high=2&unit=eV", 400),
        (f"roi?of={MAP}&low=nan&high=2", 400),
        (f"map.png?of={MAP}&scale=cubic", 400),
        (f"member?of={MAP}&path=nothing", 404),
        (f"picture?of={MAP}&image=nothing", 404),
        ("marks?lines=Xx", 400),
        ("marks?lines=N&orders=a", 400),
        (f"take?of={MAP}&format=exe", 400),
        ("find?" + "&".join(f"a={n}" for n in range(600)), 400),
    ],
)
def test_a_bad_address_is_told_in_words_for_people_and_for_programs(
    client: TestClient, address: str, status: int
) -> None:
    answer = client.get(address)
    assert answer.status_code == status, answer.text
    assert "<h1>" in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = client.get(address, headers={"Accept": "application/json"}).json()["error"]
    assert told["status"] == status
    assert told["message"]


def test_sql_runs_in_the_sandbox_and_its_mistakes_are_shown(client: TestClient) -> None:
    assert client.get("sql.json", params={"sql": "SELECT count(*) AS n FROM positions"}).json()["rows"][0]["n"] > 12
    assert "grating" in body(client, "sql", sql="SELECT grateing FROM positions")
    assert "not run" in client.get("sql.json", params={"sql": "INSTALL httpfs"}).json()["message"]


def test_a_page_goes_through_some_rows_and_the_file_has_all(client: TestClient) -> None:
    words = {"sql": "SELECT a.range AS n FROM range(12000) AS a"}
    found = client.get("sql.json", params=words).json()
    assert (found["total"], len(found["rows"]), found["message"]) == (10_000, 100, "")
    assert "the files have up to a million" in body(client, "sql", **words)
    assert client.get("rows", params={**words, "table": "sql"}).text.count("\n") == 12_001
    last = client.get("sql.json", params={**words, "page": "100"}).json()
    assert last["rows"][-1]["n"] == 9_999


def test_commands_name_a_lake_only_where_the_command_line_knows_it(lake: Lake) -> None:
    def shown(options: ServeOptions) -> str:
        client = TestClient(create_app({"epma": lake}, options), base_url="http://localhost/epma/")
        return html.unescape(body(client, "archive", of=MAP))

    assert "--lake" not in shown(ServeOptions())
    assert "sxeslake.open()" in shown(ServeOptions())
    assert "--lake epma" in shown(ServeOptions(named=frozenset({"epma"})))
    assert "sxeslake.open('epma')" in shown(ServeOptions(named=frozenset({"epma"})))


def test_the_same_address_at_the_same_commit_is_not_sent_twice(client: TestClient) -> None:
    first = client.get("archive", params={"of": MAP})
    again = client.get("archive", params={"of": MAP}, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    twin = client.get("archive.json", params={"of": MAP})
    assert twin.headers["etag"] != first.headers["etag"]
    assert "immutable" in client.get("camera.png", params={"of": f"{MAP}:5"}).headers["cache-control"]


def test_every_endpoint_is_asked_somewhere_here(client: TestClient) -> None:
    assert set(ENDPOINTS) >= {page for page, _ in PAGES}


def test_spectra_of_several_lakes_are_compared(lake: Lake, tmp_path: Path) -> None:
    archives = synthetic_facility(tmp_path, seed=1, nx=4, ny=3)
    steel = next(path for path in archives if "steel" in path.name)
    with sxeslake.init(f"memory://{uuid4().hex}") as old:
        old.ingest(steel, sample="steel")
        site = create_app({"epma": lake, "Old lake": old})
        own = TestClient(site, base_url="http://localhost/epma/", follow_redirects=False)
        names = ["2019/chalcopyrite map@2:3", "old-lake::steel@1:2"]
        found = own.get("compare.json", params={"p": names, "axis": "channel"}).json()
        assert found["positions"] == names
        assert [each["name"] for each in found["compared"]] == names[1:]
        page = own.get("compare", params={"p": names, "axis": "channel"})
        assert 'href="../old-lake/position?of=steel%401:2"' in page.text
        assert "sxeslake compare" not in page.text  # a command knows one lake
        values = own.get("spectra.f32", params={"p": names, "axis": "channel"})
        assert values.headers["x-shape"] == "3,4095"
        csv = own.get("rows", params={"table": "compare", "format": "csv", "p": names}).text
        assert "old-lake::steel@1:2" in csv
        assert own.get("compare", params={"p": "nowhere::steel@1:2"}).status_code == 404

        other = TestClient(site, base_url="http://localhost/old-lake/", follow_redirects=False)
        asked = {"p": "steel@1:2", "standards": "1"}
        first = other.get("compare", params=asked)
        assert other.get("compare", params=asked, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
        (row,) = old.measured("steel", positions="2")
        (target,) = lake.measured("2019/chalcopyrite map@2", positions="2")
        standards = other.get("compare.json", params={"p": f"epma::{target.name}", "standards": "1"}).json()
        assert [(each["name"], each["material"]) for each in standards["compared"]] == [
            ("epma::2019/chalcopyrite map@2:1", "CuFeS2")
        ]
        assert row.name == "steel@1:2"


def test_the_history_of_a_sample_is_read_once_and_goes_on(tmp_path: Path) -> None:
    archives = {path.stem: path for path in synthetic_facility(tmp_path, nx=4, ny=3)}
    with sxeslake.init(f"memory://{uuid4().hex}") as lake:
        history = LakeHistory(lake)
        assert history.newest(5) == history.of("steel", 5) == []
        lake.ingest(archives["steel carbide"], sample="steel")
        lake.annotate("steel", role="standard")
        assert [row.archives for row in history.of("steel", 5)] == [["steel"], ["steel@1"]]
        lake.ingest([archives["chalcopyrite map"], archives["chalcopyrite subset"]])
        lake.tag("steel@1", "paper")
        assert [row.number for row in history.newest(9)] == [row.number for row in lake.log()]
        assert [row.number for row in history.newest(2)] == [4, 3]
        for sample in ("steel", "chalcopyrite map", "chalcopyrite subset"):
            assert history.of(sample, 9) == list(lake.log([sample]))
        assert [row.what for row in history.of("steel", 1)] == [["tagged paper"]]
        assert history.of("nothing", 9) == []
