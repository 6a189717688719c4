"""A real S3 server for tests: SeaweedFS in one process, on free ports, with an identity each for three roles."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BUCKET = "lake"
CREDENTIALS = {
    "reader": ("AK_READER", "SK_READER_0123456789"),
    "ingester": ("AK_INGESTER", "SK_INGESTER_0123456789"),
    "steward": ("AK_STEWARD", "SK_STEWARD_0123456789"),
}
STARTUP_S = 60.0
GRPC_OFFSET = 10_000  # each component also listens here
_COMPONENTS = ("master", "volume", "filer", "s3", "admin")


@dataclass(frozen=True)
class Seaweed:
    """A running server: its endpoint, process and credentials."""

    endpoint: str
    process: subprocess.Popen[bytes]
    credentials: Mapping[str, tuple[str, str]]

    def options(self, identity: str = "steward") -> dict[str, str]:
        """Storage options for one identity."""
        key, secret = self.credentials[identity]
        return {"endpoint_url": self.endpoint, "key": key, "secret": secret, "region": "us-east-1"}

    def environment(self, identity: str = "steward") -> dict[str, str]:
        """The same as AWS variables, for child processes."""
        key, secret = self.credentials[identity]
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
        }


def weed_binary() -> str | None:
    """The server's program: beside this Python, else on the path; None where it is not installed."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.is_file() else shutil.which("weed")


def identities(bucket: str = BUCKET) -> dict[str, object]:
    """The S3 configuration of tests: the roles of infra/ with fixed credentials."""
    actions = {
        "reader": [f"Read:{bucket}", f"List:{bucket}"],
        "ingester": [f"Read:{bucket}", f"List:{bucket}", f"Write:{bucket}"],
        "steward": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    return {
        "identities": [
            {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions[name]}
            for name, (key, secret) in CREDENTIALS.items()
        ]
    }


@contextlib.contextmanager
def running(folder: Path, *, weed: str, config: Mapping[str, object] | None = None) -> Iterator[Seaweed]:
    """Start a server whose files are in `folder`, wait until it answers, stop it in the end."""
    config_file = folder / "s3.json"
    config_file.write_text(json.dumps(config or identities()))
    config_file.chmod(0o600)
    with launched(folder, [weed], [f"-s3.config={config_file}"], environment={}) as (endpoint, process):
        yield Seaweed(endpoint, process, CREDENTIALS)


@contextlib.contextmanager
def launched(
    folder: Path, command: Sequence[str], arguments: Sequence[str], *, environment: Mapping[str, str]
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `command … mini …` on free ports; gives the endpoint and the process."""
    ports = dict(zip(_COMPONENTS, free_ports(len(_COMPONENTS)), strict=True))
    data = folder / "data"
    data.mkdir()
    log = folder / "weed.log"
    line = [
        *command,
        *("-logtostderr=true", "mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={data}", f"-bucket={BUCKET}"),
        *("-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"),
        *("-s3.autoCreateBucket=false", "-master.volumeSizeLimitMB=64"),
        *(f"-{name}.port={port}" for name, port in ports.items()),
        *(f"-{name}.port.grpc={port + GRPC_OFFSET}" for name, port in ports.items()),
        *arguments,
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            line,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "GOMEMLIMIT": "512MiB", **environment},
        )
        try:
            _wait_until_ready(process, ports, log)
            yield f"http://127.0.0.1:{ports['s3']}", process
        finally:
            _stop(process)


def free_ports(count: int) -> list[int]:
    """Ports that are free now, each together with its neighbour 10,000 above.

    From 12,000 to 22,000: below what Linux hands out to outgoing connections, which could take a port meanwhile.
    """
    found: list[int] = []
    with contextlib.ExitStack() as held:
        while len(found) < count:
            port = secrets.randbelow(10_000) + 12_000
            with contextlib.suppress(OSError):
                for number in (port, port + GRPC_OFFSET):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", number))
                found.append(port)
    return found


def _wait_until_ready(process: subprocess.Popen[bytes], ports: Mapping[str, int], log: Path) -> None:
    """Until S3 answers, a volume takes writes, and the bucket is made."""
    deadline = time.monotonic() + STARTUP_S
    at = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    while not (
        _answer(f"{at['s3']}/status") is not None
        and b"fid" in (_answer(f"{at['master']}/dir/assign") or b"")
        and _answer(f"{at['filer']}/buckets/{BUCKET}/?limit=1") is not None
    ):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"SeaweedFS did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def _answer(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            body: bytes = reply.read()
            return body
    except (urllib.error.URLError, OSError):
        return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
