"""Damaged content, storage that goes away, too much work, clients that leave: said, bounded, and gone again."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import anyio
import pytest
from starlette.testclient import TestClient
from support.small_lakes import new_vault

from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.errors import UnreachableError
from sxeslake.format import keys
from sxeslake.lake import Lake
from sxeslake.storage import Store, open_store
from sxeslake.vault.vault import Vault
from sxeslake.web.app import create_app
from sxeslake.web.lakes import ResultCache
from sxeslake.web.work import GoneError, Job, TooBusyError, Workers

MAP = "2019/chalcopyrite map@1"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    paths = synthetic_facility(tmp_path_factory.mktemp("facility"), nx=4, ny=3)
    return next(path for path in paths if path.name == "chalcopyrite map.plzip")


@pytest.fixture
def store(request: pytest.FixtureRequest, archive: Path) -> Store:
    inner = open_store(f"memory://{abs(hash(request.node.nodeid))}")
    with Lake(new_vault(inner)) as lake:
        lake.ingest(archive, sample="2019/chalcopyrite map")
    return inner


def client_of(lake: Lake) -> TestClient:
    return TestClient(create_app({"epma": lake}), base_url="http://localhost/epma/")


def test_what_is_damaged_is_named_and_the_rest_is_shown(store: Store) -> None:
    with Lake(Vault(store, None)) as lake:
        client = client_of(lake)
        assert client.get("find.json").json()["total"] == 1  # the catalogue is made; spectra are not read yet
        for info in list(store.list(keys.PACK_PREFIX)):
            data = bytearray(store.get(info.key))
            middle = len(data) // 2
            data[middle : middle + 40] = bytes(byte ^ 0x55 for byte in data[middle : middle + 40])
            store.replace(info.key, bytes(data))
        assert client.get("analysis", params={"of": MAP}).status_code == 200
        found = [client.get("position.json", params={"of": f"{MAP}:{number}"}) for number in range(1, 13)]
        assert {answer.status_code for answer in found} == {200}
        troubled = [answer.json() for answer in found if answer.json()["troubles"]]
        assert troubled
        assert "cannot be read" in troubled[0]["troubles"][0]
        assert "etag" not in client.get("position", params={"of": troubled[0]["title"]}).headers
        for data_type in ("qlw", "spectrum"):
            read = client.get("roi.json", params={"of": MAP, "type": data_type})
            named = read.json()["warnings"] if read.status_code == 200 else [read.json()["error"]["message"]]
            left = read.json()["positions"] if read.status_code == 200 else 0
            assert left == 12 or f"{12 - left} position" in named[0]


def test_storage_that_goes_away_is_said_and_comes_back(store: Store) -> None:
    with Lake(Vault(store, None)) as lake:
        client = client_of(lake)
        assert client.get("archive", params={"of": MAP}).status_code == 200

        def broken(*_: object, **__: object) -> object:
            raise UnreachableError("storage at /srv/lake does not answer.")

        healthy = {
            name: getattr(store, name) for name in ("get", "get_range", "get_ranges", "get_tail", "list", "size")
        }
        for name in healthy:
            setattr(store, name, broken)
        time.sleep(1.1)  # the newest commit is looked for once a second
        answer = client.get("archive", params={"of": MAP})
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "does not answer" in answer.text
        assert "/srv" not in answer.text
        for name, method in healthy.items():
            setattr(store, name, method)
        assert client.get("archive", params={"of": MAP}).status_code == 200


def test_a_lake_that_grows_and_forgets_is_shown_as_it_is_now(store: Store, archive: Path) -> None:
    with Lake(Vault(store, None)) as lake, Lake(Vault(store, None)) as writer:
        client = client_of(lake)
        first = client.get("archive", params={"of": MAP})
        writer.annotate(MAP, material="CuFeS2")
        time.sleep(1.1)
        again = client.get("archive", params={"of": MAP}, headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 200
        assert "material = CuFeS2" in again.text
        writer.forget(MAP)
        time.sleep(1.1)
        assert client.get("archive", params={"of": MAP}).status_code == 404
        assert client.get("find.json").json()["total"] == 0


def test_what_several_ask_for_at_once_is_made_once() -> None:
    kept, made = ResultCache(4), []

    def make() -> int:
        made.append(1)
        time.sleep(0.1)
        return len(made)

    threads = [threading.Thread(target=kept.get, args=("map", make)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    with pytest.raises(ZeroDivisionError):
        kept.get("broken", lambda: 1 / 0)
    assert kept.get("broken", lambda: "mended") == "mended"
    assert [kept.get(number, lambda: 0) for number in range(9)] == [0] * 9


class Asking:
    """A request whose client leaves when it is told to."""

    def __init__(self) -> None:
        self.left = False

    async def is_disconnected(self) -> bool:
        return self.left


def test_heavy_work_is_bounded_and_refused_beyond() -> None:
    async def run() -> tuple[int, int]:
        workers, running, most = Workers(8, 2, 3), 0, 0
        lock, refused = threading.Lock(), 0

        def work(job: Job) -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.2)
            with lock:
                running -= 1

        async def one() -> None:
            nonlocal refused
            try:
                await workers.do(Asking(), work, heavy=True)  # type: ignore[arg-type]
            except TooBusyError:
                refused += 1

        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(one)
                await anyio.sleep(0.005)
        return most, refused

    assert anyio.run(run) == (2, 7)


def test_work_ends_when_its_client_leaves() -> None:
    async def run() -> float:
        workers, asking = Workers(2, 1, 1), Asking()

        def work(job: Job) -> None:
            while True:
                job.check()
                time.sleep(0.01)

        async def leave() -> None:
            await anyio.sleep(0.1)
            asking.left = True

        started = time.monotonic()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leave)
            with pytest.raises(GoneError):
                await workers.do(asking, work)  # type: ignore[arg-type]
        return time.monotonic() - started

    assert anyio.run(run) < 2


def test_an_unexpected_error_is_logged_and_not_shown(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Lake(Vault(store, None)) as lake:
        monkeypatch.setattr(lake, "show", lambda ref: 1 / 0)
        answer = client_of(lake).get("archive", params={"of": MAP})
    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.text
    assert any(record.exc_info for record in caplog.records)


def test_a_lake_whose_documents_are_damaged_says_so_and_lists_its_samples(store: Store) -> None:
    for info in list(store.list(keys.PACK_PREFIX)):
        data = bytearray(store.get(info.key))
        for start in range(0, len(data), 150):
            data[start : start + 40] = bytes(byte ^ 0x55 for byte in data[start : start + 40])
        store.replace(info.key, bytes(data))
    with Lake(Vault(store, None)) as lake:
        client = client_of(lake)
        found = client.get("find.json")
        assert found.status_code == 200
        assert found.json()["samples"] == ["2019/chalcopyrite map"]
        assert "The catalogue cannot be made" in found.json()["troubles"][0]
        page = client.get("find")
        assert "cannot be searched" in page.text
        assert 'href="archive?of=2019/chalcopyrite+map"' in page.text
        assert page.headers["cache-control"] == "no-store"
        archive = client.get("archive.json", params={"of": MAP})
        assert archive.status_code == 200
        assert "The analyses cannot be listed" in archive.json()["troubles"][0]
        assert len(archive.json()["members_shown"]) > 10
        lake_page = client.get("overview")
        assert lake_page.status_code == 200
        assert "The catalogue cannot be made" in lake_page.text
        for page_name, words in (("analysis", {"of": MAP}), ("sql", {"sql": "SELECT * FROM analyses"})):
            answer = client.get(page_name, params=words)
            assert answer.status_code == 500
            assert "The lake is damaged here" in answer.text
            assert "sxeslake repair" in answer.text


def test_the_lake_page_says_how_old_its_care_is_and_what_nobody_records(store: Store) -> None:
    with Lake(Vault(store, None)) as lake:
        health = {each["label"]: each["text"] for each in client_of(lake).get("overview.json").json()["health"]}
        assert health["last ingest"].startswith("today: 2")
        assert health["last collection of space (gc)"] == "never"
        assert "not recorded in the lake" in health["last check (verify)"]
        assert "not recorded in the lake" in health["last copy"]
