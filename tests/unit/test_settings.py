"""Settings: folders, named lakes, which lake a word means, and no secret on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sxeslake import settings
from sxeslake.errors import NotFoundError, UsageError


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a configuration of its own."""
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("SXESLAKE_LAKE", raising=False)
    return tmp_path


def test_folders_follow_the_environment(own_folders: Path) -> None:
    assert settings.config_dir() == own_folders / "config"
    assert settings.cache_dir() == own_folders / "cache"


def test_folders_without_the_environment_are_the_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SXESLAKE_CONFIG")
    monkeypatch.delenv("SXESLAKE_CACHE")
    for folder in (settings.config_dir(), settings.cache_dir(), settings.data_dir()):
        assert folder.is_absolute()
        assert "sxeslake" in folder.parts
    assert Path(settings.default_lake_url()).parent == settings.data_dir()


def test_without_a_word_the_embedded_lake_is_meant() -> None:
    assert settings.resolve_lake() == (settings.default_lake_url(), "default")
    assert settings.storage_options() == {}


def test_the_environment_names_a_lake_by_url_or_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SXESLAKE_LAKE", "s3://bucket/a")
    assert settings.resolve_lake() == ("s3://bucket/a", "environment")
    settings.add_named_lake("facility", "s3://bucket/b", {"profile": "epma"})
    monkeypatch.setenv("SXESLAKE_LAKE", "facility")
    assert settings.resolve_lake() == ("s3://bucket/b", "environment")
    assert settings.storage_options() == {"profile": "epma"}
    assert settings.resolve_lake("s3://bucket/c") == ("s3://bucket/c", "option")


def test_an_empty_variable_is_no_lake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SXESLAKE_LAKE", "")
    assert settings.resolve_lake()[1] == "default"


def test_a_name_is_resolved_and_an_unknown_word_is_a_folder() -> None:
    settings.add_named_lake("facility", "s3://bucket/lake")
    assert settings.resolve_lake("facility") == ("s3://bucket/lake", "name")
    assert settings.resolve_lake("./facility") == ("./facility", "option")
    assert settings.resolve_lake("facilty") == ("facilty", "option")
    assert settings.storage_options("facilty") == {}


def test_the_lake_in_use_can_be_changed_and_left() -> None:
    settings.add_named_lake("facility", "s3://bucket/lake")
    settings.set_default("facility")
    assert settings.resolve_lake() == ("s3://bucket/lake", "name")
    settings.set_default(None)
    assert settings.resolve_lake()[1] == "default"


def test_forgetting_the_lake_in_use_goes_back_to_the_embedded_one() -> None:
    settings.add_named_lake("facility", "s3://bucket/lake")
    settings.set_default("facility")
    settings.forget_named_lake("facility")
    assert settings.named_lakes() == {}
    assert settings.resolve_lake()[1] == "default"


@pytest.mark.parametrize("change", [settings.set_default, settings.forget_named_lake])
def test_an_unknown_name_is_answered_with_near_misses(change: object) -> None:
    settings.add_named_lake("facility", "s3://bucket/lake")
    assert callable(change)
    with pytest.raises(NotFoundError, match=r"facilty: .*facility"):
        change("facilty")


def test_a_folder_is_kept_as_an_absolute_path(own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own_folders)
    assert settings.add_named_lake("here", "lake").url == str(own_folders / "lake")


@pytest.mark.parametrize("name", ["", "a/b", "-x", "../x", "s3:", "x" * 65, "a b"])
def test_a_name_is_a_plain_word(name: str) -> None:
    with pytest.raises(UsageError, match="a lake's name has"):
        settings.add_named_lake(name, "s3://bucket/lake")


@pytest.mark.parametrize("url", ["s3://AKID:hunter22@bucket/lake", "s3://bucket/lake?token=hunter22"])
def test_a_secret_in_the_url_is_refused_and_not_repeated(own_folders: Path, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings.add_named_lake("facility", url)
    assert "hunter22" not in str(caught.value)
    assert not (own_folders / "config").exists()


@pytest.mark.parametrize(
    "option", ["secret", "key", "aws_secret_access_key", "aws_access_key_id", "token", "session_token", "password"]
)
def test_a_secret_option_is_refused_and_not_repeated(own_folders: Path, option: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings.add_named_lake("facility", "s3://bucket/lake", {option: "hunter22"})
    assert option in str(caught.value)
    assert "hunter22" not in str(caught.value)
    assert not (own_folders / "config").exists()


def test_a_secret_in_an_endpoint_is_refused() -> None:
    with pytest.raises(UsageError):
        settings.add_named_lake("facility", "s3://bucket/lake", {"endpoint_url": "https://me:hunter22@s3.example.org"})


@pytest.mark.parametrize("option", ["profile", "endpoint_url", "region", "anon", "addressing_style"])
def test_harmless_options_are_kept(option: str) -> None:
    settings.add_named_lake("facility", "s3://bucket/lake", {option: "https://s3.example.org"})
    assert settings.storage_options("facility") == {option: "https://s3.example.org"}


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"lakes": []}', '{"lakes": {"a": "s3://b"}}', '{"lakes": {"a": {}}}', "\x00"]
)
def test_a_broken_file_is_named_and_left_alone(own_folders: Path, text: str) -> None:
    path = own_folders / "config" / "config.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(UsageError, match=r"config\.json: cannot be read"):
        settings.named_lakes()
    assert path.read_text() == text


def test_the_file_is_json_with_other_keys_kept(own_folders: Path) -> None:
    path = own_folders / "config" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"instruments": {"JXA-8530F": {"time_zone": "Europe/Paris"}}}))
    settings.add_named_lake("facility", "s3://bucket/lake")
    document = json.loads(path.read_text())
    assert document["instruments"] == {"JXA-8530F": {"time_zone": "Europe/Paris"}}
    assert [file.name for file in path.parent.iterdir()] == ["config.json"]


def test_time_zones_of_instruments(own_folders: Path) -> None:
    settings.add_named_lake("facility", "s3://bucket/lake")
    settings.set_time_zone("JXA-8530F", "Asia/Tokyo")
    settings.set_time_zone("*", "UTC")
    assert settings.time_zones() == {"*": "UTC", "JXA-8530F": "Asia/Tokyo"}
    settings.set_time_zone("*", None)
    assert settings.time_zones() == {"JXA-8530F": "Asia/Tokyo"}
    assert list(settings.named_lakes()) == ["facility"]
    with pytest.raises(UsageError, match="Did you mean Asia/Tokyo"):
        settings.set_time_zone("JXA-8530F", "Asia/Tokio")
    (own_folders / "config" / "config.json").write_text('{"time_zones": ["UTC"]}')
    with pytest.raises(UsageError, match="cannot be read"):
        settings.time_zones()


@pytest.mark.parametrize(
    ("said", "expected"),
    [("", 2 << 30), ("0", 0), ("1234", 1234), ("500MB", 500_000_000), ("2GiB", 2 << 30), (" 1.5 k ", 1500)],
)
def test_room_for_what_was_fetched(monkeypatch: pytest.MonkeyPatch, said: str, expected: int) -> None:
    monkeypatch.setenv("SXESLAKE_CACHE_BYTES", said)
    assert settings.cache_bytes() == expected


@pytest.mark.parametrize("said", ["much", "-1", "1 PB", "2GiB/s"])
def test_what_is_no_size(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("SXESLAKE_CACHE_BYTES", said)
    with pytest.raises(UsageError, match="is not a size"):
        settings.cache_bytes()


@pytest.mark.parametrize(
    ("text", "size"), [("20GiB", 20 << 30), ("5 MB", 5_000_000), ("1.5k", 1500), ("7", 7), (" 7B ", 7)]
)
def test_sizes_as_they_are_written(text: str, size: int) -> None:
    assert settings.parse_size(text, "--max-bytes") == size


@pytest.mark.parametrize("text", ["-5", "iB", "5iB", "5 miles", "", "5MB/s"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"max_bytes: .* is not a size"):
        settings.parse_size(text, "--max-bytes")
