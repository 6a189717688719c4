"""Versions that stay open: the same reader again, as few as are allowed, never that of another archive."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.internals import vault_of

from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.lake import init
from sxeslake.reading.open_versions import OpenVersions
from sxeslake.vault.log.state import Version


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[Version]:
    """Three versions of a lake."""
    folder = tmp_path_factory.mktemp("made")
    with init("memory://open-versions") as lake:
        lake.ingest(synthetic_facility(folder, nx=2, ny=1)[:4])
        return list(vault_of(lake).state.versions())[:3]


class Reader:
    def __init__(self, version: Version) -> None:
        self.version = version


def test_a_version_is_opened_once(versions: list[Version]) -> None:
    opened = OpenVersions(Reader)
    assert opened.of(versions[0]) is opened.of(versions[0])
    assert opened.of(versions[0]).version == versions[0]


def test_the_one_that_was_opened_first_is_dropped(versions: list[Version]) -> None:
    opened = OpenVersions(Reader, keep=2)
    first, second, _ = map(opened.of, versions)
    assert opened.of(versions[1]) is second
    assert opened.of(versions[0]) is not first


def test_another_archive_of_that_name_is_opened_anew(versions: list[Version]) -> None:
    opened = OpenVersions(Reader)
    before = opened.of(versions[0])
    changed = replace(versions[0], time="2026-01-01T00:00:00Z")
    assert changed.name == versions[0].name
    assert opened.of(changed) is not before
    assert opened.of(changed).version == changed
