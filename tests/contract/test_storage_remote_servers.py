"""Beyond the common contract, on real servers of Azure, Google and SFTP: races, lost replies, a quiet exit."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import asyncssh
import pytest
from support import store_servers
from support.small_lakes import counts, zip_of
from support.store_servers import StoreServer

from sxeslake.errors import AccessDeniedError, ObjectExistsError, StorageError
from sxeslake.lake import init, open_lake
from sxeslake.storage import Store, Versioned, open_store, probe
from sxeslake.storage.remote import RemoteStore

RACES = int(os.environ.get("SXESLAKE_STORE_RACES", "20"))
WRITERS = 6
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["azure", "gcs", "sftp"])
def server(request: pytest.FixtureRequest) -> StoreServer:
    found: StoreServer = request.getfixturevalue(f"{request.param}_server")
    return found


def opened(server: StoreServer, name: str, **other: str) -> RemoteStore:
    store = open_store(server.url(name), options={**server.options, **other})
    assert isinstance(store, RemoteStore)
    return store


@pytest.fixture
def store(server: StoreServer) -> Iterator[RemoteStore]:
    store = opened(server, f"remote/{secrets.token_hex(6)}")
    yield store
    store.close()


def test_one_wins_each_of_many_races(server: StoreServer) -> None:
    """Each writer through connections of its own, as from another machine."""
    name = f"race/{secrets.token_hex(6)}"
    stores = [opened(server, name) for _ in range(WRITERS)]
    for number in range(RACES):
        key, barrier = f"log/{number:020d}.json", threading.Barrier(WRITERS)
        nonces = [secrets.token_bytes(24) for _ in stores]

        def write(turn: int, key: str = key, barrier: threading.Barrier = barrier, put: list[bytes] = nonces) -> bool:
            barrier.wait()
            try:
                stores[turn].create(key, put[turn])
            except ObjectExistsError:
                return False
            return True

        with ThreadPoolExecutor(WRITERS) as pool:
            won = list(pool.map(write, range(WRITERS)))
        assert sum(won) == 1
        assert stores[0].get(key) == nonces[won.index(True)]
    for store in stores:
        store.close()


def test_commits_that_race_are_all_there(server: StoreServer, tmp_path: Path) -> None:
    url, options = server.url(f"commits/{secrets.token_hex(6)}"), dict(server.options)
    init(url, storage_options=options).close()
    writers, each = 3, 3

    def write(turn: int) -> None:
        with open_lake(url, storage_options=options) as lake:
            for number in range(each):
                source = zip_of(tmp_path / f"{turn}-{number}.zip", {"a.bin": counts(10 * turn + number, 500)})
                assert lake.ingest(source).archives[0].status == "added"

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    with open_lake(url, storage_options=options) as lake:
        assert {row.sample for row in lake.ls()} == {f"{t}-{n}" for t in range(writers) for n in range(each)}
        assert lake.verify(data=True).ok


class SwallowingProxy:
    """Passes bytes on, and hangs up in place of the first reply after a request with `mark` in it."""

    def __init__(self, port: int, mark: bytes) -> None:
        self._port, self._mark = port, mark
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.swallowed = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                armed = threading.Event()
                threading.Thread(target=self._up, args=(client, server, armed), daemon=True).start()
                threading.Thread(target=self._down, args=(server, client, armed), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, armed: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if self._mark in data.lower() and not self.swallowed:
                    armed.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _down(self, server: socket.socket, client: socket.socket, armed: threading.Event) -> None:
        with server, client, suppress(OSError):
            while data := server.recv(1 << 16):
                if armed.is_set():
                    self.swallowed += 1
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(data)


@pytest.mark.parametrize(("kind", "mark"), [("azure", b"if-none-match"), ("gcs", b"ifgenerationmatch=0")])
def test_a_reply_that_is_lost_is_no_defeat(kind: str, mark: bytes, request: pytest.FixtureRequest) -> None:
    """The first attempt wins, its reply is lost, the second is told "exists": by whom, the nonce tells."""
    server: StoreServer = request.getfixturevalue(f"{kind}_server")
    proxy = SwallowingProxy(server.port, mark)
    through = opened(
        server, f"lost/{secrets.token_hex(6)}",
        endpoint_url=server.options["endpoint_url"].replace(f":{server.port}", f":{proxy.port}"),
    )  # fmt: skip
    through.create("log/1.json", b"mine")
    assert proxy.swallowed == 1
    assert through.counters.requests["HEAD"] == 1  # aiohttp, too, sends a PUT once more where the server hangs up
    with pytest.raises(ObjectExistsError):
        through.create("log/1.json", b"mine")
    through.close()
    proxy.close()


def test_a_connection_that_is_lost_at_the_link_is_no_defeat(
    sftp_server: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sxeslake.storage.remote import sftp  # noqa: PLC0415 - of the extra `sftp`

    link, cut = sftp.SftpClient._link, [True]

    async def link_and_lose(self: sftp.SftpClient, *arguments: str) -> None:
        await link(self, *arguments)
        if cut.pop():
            assert self._connection is not None
            self._connection.abort()
            await asyncio.sleep(0.1)
            raise asyncssh.SFTPConnectionLost("cut by the test")

    monkeypatch.setattr(sftp.SftpClient, "_link", link_and_lose)
    store = opened(sftp_server, f"lost/{secrets.token_hex(6)}")
    before = time.time()
    store.create("log/1.json", b"mine")
    (info,) = store.list("")
    assert (info.key, abs(info.modified - before) < 5) == ("log/1.json", True)
    assert store.sweep(0) == 0, "no temporary file is left"
    cut.append(False)
    with pytest.raises(ObjectExistsError):
        store.create("log/1.json", b"mine")
    store.close()


def test_a_server_that_dies_is_waited_for(tmp_path: Path) -> None:
    """A new connection where the old one is lost; and what a writer left is swept."""
    program = store_servers.sshd_binary()
    if program is None:
        pytest.skip("the SSH server is not installed: apt-get install openssh-server")
    with store_servers.sshd(tmp_path, program) as server:
        store = opened(server, "lake")
        store.create("packs/a", b"1")
        subprocess.run(["pkill", "-P", str(server.process.pid)], check=True)  # its sessions
        assert store.get("packs/a") == b"1"
        left = tmp_path / "data" / "lake" / "packs" / ".tmp-left"
        left.write_bytes(b"12345")
        assert (store.sweep(3600), store.sweep(0), left.exists()) == (0, 5, False)
        assert [info.key for info in store.list("")] == ["packs/a"]
        store.close()


def test_folders_and_files_are_as_open_as_the_root(sftp_server: StoreServer) -> None:
    name = f"open-{secrets.token_hex(6)}"
    folder = Path(urlsplit(sftp_server.url(name)).path)
    folder.mkdir()
    folder.chmod(0o2770)
    store = opened(sftp_server, name)
    store.create("packs/ab/x", b"1")
    assert [oct(path.stat().st_mode & 0o7777) for path in (folder / "packs" / "ab", folder / "packs" / "ab" / "x")] == [
        "0o2770", "0o660",
    ]  # fmt: skip
    store.close()


def test_a_server_without_hard_links_is_refused_by_name(tmp_path: Path) -> None:
    """asyncssh's own server, told to offer no extension."""
    script = tmp_path / "server.py"
    script.write_text(
        "import asyncio, asyncssh, sys\n"
        "from asyncssh.sftp import SFTPServerHandler\n"
        "SFTPServerHandler._extensions = []\n"
        "async def main():\n"
        "    server = await asyncssh.listen('127.0.0.1', 0, server_host_keys=[sys.argv[1]],\n"
        "        authorized_client_keys=sys.argv[2], server_version='mod_sftp', sftp_factory=True)\n"
        "    print(server.get_port(), flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen makes the keys")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "host"), str(tmp_path / "user.pub")], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {(tmp_path / 'host.pub').read_text()}")
        (tmp_path / "lake").mkdir()
        (tmp_path / "lake" / "there").write_bytes(b"read")
        options = {"known_hosts": str(tmp_path / "known"), "identity_file": str(tmp_path / "user")}
        store = open_store(f"sftp://me@127.0.0.1:{port}{tmp_path / 'lake'}", options=options)
        with pytest.raises(StorageError, match=r"SSH-2\.0-mod_sftp offers no hardlink@openssh\.com"):
            probe(store)
        assert store.get("there") == b"read"
        assert [info.key for info in store.list("")] == ["there"], "nothing is left behind"
        store.close()
    finally:
        process.kill()
        process.communicate()


def test_a_token_that_may_only_create_can_overwrite_nothing(azure_server: StoreServer) -> None:
    """What an ingester should hold."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    from azure.storage.blob import generate_container_sas  # noqa: PLC0415 - of the extra `azure`

    account, key = azure_server.options["account_name"], azure_server.options["account_key"]
    token = generate_container_sas(
        account, "lake", account_key=key, permission="rcl", expiry=datetime.now(UTC) + timedelta(hours=1)
    )
    options = {"account_name": account, "endpoint_url": azure_server.options["endpoint_url"], "sas_token": token}
    store = open_store(azure_server.url(f"token/{secrets.token_hex(6)}"), options=options)
    store.create("log/1.json", b"first")
    with pytest.raises(ObjectExistsError):
        store.create("log/1.json", b"second")
    calls: list[Callable[[], None]] = [lambda: store.replace("log/1.json", b"x"), lambda: store.delete(["log/1.json"])]
    for call in calls:
        with pytest.raises((AccessDeniedError, ObjectExistsError)) as caught:
            call()
        assert token not in str(caught.value)
    assert store.get("log/1.json") == b"first"
    store.close()


def test_a_process_ends_without_a_word(server: StoreServer) -> None:
    script = (
        "import sys\n"
        "from sxeslake.storage import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "store.replace('p', b'1' * 3_000_000); store.get_ranges([('p', 0, 1)])\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", script, server.url("quiet")],
        env=os.environ | server.environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    # The loop's own debug mode reports slow steps of a busy machine; everything else is a finding.
    assert [line for line in run.stderr.splitlines() if not line.startswith("Executing <")] == []
    assert run.returncode == 0


def test_a_child_of_a_fork_has_connections_of_its_own(store: Store) -> None:
    store.create("p", b"0123456789")
    child = os.fork()
    if not child:
        os._exit(0 if store.get("p") == b"0123456789" else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert store.get("p") == b"0123456789"


def test_a_bucket_says_whether_it_keeps_versions(gcs_server: StoreServer) -> None:
    """And a create overwrites nothing there either."""
    name = f"versions-{secrets.token_hex(6)}"
    ask = urllib.request.Request(
        f"{gcs_server.options['endpoint_url']}/storage/v1/b?project=p",
        json.dumps({"name": name, "versioning": {"enabled": True}}).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(ask, timeout=10).close()
    store = open_store(f"gs://{name}/lake", options=gcs_server.options)
    assert isinstance(store, Versioned)
    assert store.keeps_versions()
    assert probe(store, rounds=1).create_only
    store.close()
    plain = opened(gcs_server, "versions")
    assert not plain.keeps_versions()
    plain.close()
