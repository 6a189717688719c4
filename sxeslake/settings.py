"""The user's settings: where configuration, cache and data lie, and which lake a word means.

`config.json`, written by `sxeslake use`:

    {"default": "facility", "lakes": {"facility": {"url": "s3://bucket/lake", "storage_options": {"profile": "epma"}}},
      "groups": {"sites": ["facility", "s3://other/lake"]}, "time_zones": {"JXA-8530F": "Asia/Tokyo"},
      "notify": "/usr/local/bin/tell-operator"}

No secret is ever kept in it: those come from the environment or from AWS profiles.
"""

from __future__ import annotations

import difflib
import json
import logging
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import platformdirs

from sxeslake.errors import NotFoundError, UsageError
from sxeslake.model import DOCUMENT_BYTES, GIB
from sxeslake.storage.address import parse, redact
from sxeslake.storage.interface import Store
from sxeslake.storage.opening import open_store
from sxeslake.storage.throttle import limited, parse_rate

_LOG = logging.getLogger(__name__)

LAKE_VARIABLE = "SXESLAKE_LAKE"
CACHE_VARIABLE = "SXESLAKE_CACHE"
CONFIG_VARIABLE = "SXESLAKE_CONFIG"
STATE_VARIABLE = "SXESLAKE_STATE"
CACHE_BYTES_VARIABLE = "SXESLAKE_CACHE_BYTES"
DOCUMENT_LIMIT_VARIABLE = "SXESLAKE_DOCUMENT_LIMIT"
LIMIT_UP_VARIABLE = "SXESLAKE_LIMIT_UP"
LIMIT_DOWN_VARIABLE = "SXESLAKE_LIMIT_DOWN"
RETRY_FOR_VARIABLE = "SXESLAKE_RETRY_FOR"
NOTIFY_VARIABLE = "SXESLAKE_NOTIFY"

How = Literal["option", "environment", "name", "default"]
"""Where the choice of a lake came from."""

DEFAULT_CACHE_BYTES = 2 * GIB

_APPLICATION = "sxeslake"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min)?", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE | re.ASCII)
_SECRET = re.compile(
    r"secret|passw|passphrase|pwd|token|credential|private|connection_?string|(^|_)(access_?)?key($|_id$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class NamedLake:
    """A lake of the user's configuration: its URL and the settings to reach it, without secrets."""

    url: str
    storage_options: Mapping[str, str] = field(default_factory=dict)


def config_dir() -> Path:
    """The folder of `config.json`: `~/.config/sxeslake`, or `SXESLAKE_CONFIG`."""
    own = os.environ.get(CONFIG_VARIABLE)
    return Path(own) if own else platformdirs.user_config_path(_APPLICATION, appauthor=False)


def cache_dir() -> Path:
    """The folder of what can be fetched again: `~/.cache/sxeslake`, or `SXESLAKE_CACHE`."""
    own = os.environ.get(CACHE_VARIABLE)
    return Path(own) if own else platformdirs.user_cache_path(_APPLICATION, appauthor=False)


def lakes_cache_dir() -> Path:
    """The folder below it with a folder for each lake."""
    return cache_dir() / "lakes"


def state_dir() -> Path:
    """The folder of what this machine remembers of its runs: `~/.local/state/sxeslake`, or `SXESLAKE_STATE`."""
    own = os.environ.get(STATE_VARIABLE)
    return Path(own) if own else platformdirs.user_state_path(_APPLICATION, appauthor=False)


def data_dir() -> Path:
    """The folder of what must be kept: `~/.local/share/sxeslake`."""
    return platformdirs.user_data_path(_APPLICATION, appauthor=False)


def default_lake_url() -> str:
    """The embedded lake, which needs no set-up: `~/.local/share/sxeslake/lake`."""
    return str(data_dir() / "lake")


def named_lakes() -> dict[str, NamedLake]:
    """The lakes of the user's configuration by name, sorted."""
    lakes = _read().get("lakes", {})
    try:
        return {
            name: NamedLake(str(lake["url"]), {str(k): str(v) for k, v in lake.get("storage_options", {}).items()})
            for name, lake in sorted(lakes.items())
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise _unreadable() from error


def default_name() -> str | None:
    """The named lake in use, None for the embedded one."""
    name = _read().get("default")
    return None if name is None else str(name)


def add_named_lake(name: str, url: str, storage_options: Mapping[str, str] | None = None) -> NamedLake:
    """Keep a lake under a name; refuses whatever looks like a secret. A folder is kept as an absolute path."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            "a lake's name has letters, digits, dots, dashes and underscores only, 64 at most", where=repr(name)
        )
    if redact(url) != url:
        raise UsageError(
            "the URL holds a secret or a query, and the configuration keeps none",
            where=redact(url),
            hint="Give credentials by the AWS variables or a profile, and settings with --storage-option.",
        )
    options = dict(storage_options or {})
    for key, value in options.items():
        if is_secret(key) or redact(value) != value:
            raise UsageError(
                "looks like a secret, and the configuration keeps none",
                where=f"storage option {key}",
                hint="Give credentials by the AWS variables or a profile.",
            )
    if name in groups():
        raise UsageError("a group of lakes has that name", where=name, hint="Take another name.")
    lake = NamedLake(parse(url).public, options)
    document = _read()
    document.setdefault("lakes", {})[name] = {"url": lake.url, "storage_options": options}
    _write(document)
    return lake


def set_default(name: str | None) -> None:
    """Use the named lake where nothing else is said; None goes back to the embedded one."""
    if name is not None and name not in named_lakes():
        if name in groups():
            raise UsageError(
                "a group of lakes cannot be the lake in use: it is only read.", where=name, hint=f"Give --lake {name}."
            )
        raise unknown_name(name)
    document = _read()
    document["default"] = name
    _write(document)


def forget_named_lake(name: str) -> None:
    """Drop a name from the configuration; the lake itself is not touched."""
    document = _read()
    if name not in named_lakes():
        raise unknown_name(name)
    del document["lakes"][name]
    if document.get("default") == name:
        document["default"] = None
    _write(document)


def groups() -> dict[str, list[str]]:
    """The groups of lakes by name, sorted: each a list of names, URLs and folders."""
    found = _read().get("groups", {})
    try:
        return {str(name): [str(word) for word in words] for name, words in sorted(found.items())}
    except (AttributeError, TypeError) as error:
        raise _unreadable() from error


def set_group(name: str, words: Sequence[str]) -> list[str]:
    """Keep a group of lakes under a name; each is a name of `use`, or a URL or folder without secrets."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            "a group's name has letters, digits, dots, dashes and underscores only, 64 at most", where=repr(name)
        )
    known = named_lakes()
    if name in known:
        raise UsageError("a lake has that name", where=name, hint="Take another name for the group.")
    if any(word in groups() for word in words):
        raise UsageError("a group holds lakes, not other groups", where=name)
    kept: list[str] = []
    for word in words:
        if word in known:
            kept.append(word)
        elif _NAME.fullmatch(word) and not Path(word).is_dir():
            raise unknown_name(word)
        elif redact(word) != word:
            raise UsageError("the URL holds a secret or a query, and the configuration keeps none", where=redact(word))
        else:
            kept.append(parse(word).public)
    kept = list(dict.fromkeys(kept))
    document = _read()
    document["groups"] = {**groups(), name: kept}
    _write(document)
    return kept


def forget_group(name: str) -> None:
    """Drop a group; its lakes and their names stay."""
    found = groups()
    if name not in found:
        hint = f"There is: {', '.join(found)}." if found else None
        raise NotFoundError("no group of lakes has that name", where=name, hint=hint)
    del found[name]
    document = _read()
    document["groups"] = found
    _write(document)


def members(words: Sequence[str] = ()) -> list[str]:
    """The lakes that words mean, groups taken apart, each lake once; `SXESLAKE_LAKE` where nothing is said."""
    said = list(words) or [word for word in [os.environ.get(LAKE_VARIABLE)] if word]
    known = groups() if said else {}
    found = [each for word in said for each in known.get(word, [word])]
    apart: dict[object, str] = {}
    for word in found:
        lake = _choose(word)[0]
        apart.setdefault((parse(lake.url).public, tuple(lake.storage_options.items())), word)
    return list(apart.values())


def titles(words: Sequence[str]) -> dict[str, str]:
    """Short names of lakes for people → the words that mean them.

    A name of `use` is its own; of a URL it is the last part, and as much before it as tells it from the others.
    """
    known = named_lakes()
    parts = {word: [part for part in parse(_choose(word)[0].url).public.split("/") if part] for word in words}
    found: dict[str, str] = {}
    for word in words:
        others = [other for other in words if other != word]
        title, length = word, 1
        if word not in known:
            title = "/".join(parts[word][-1:]) or word
            while length < len(parts[word]) and any(
                title == other or parts[other][-length:] == parts[word][-length:] for other in others
            ):
                length += 1
                title = "/".join(parts[word][-length:])
        number, base = 2, title
        while title in found:
            title, number = f"{base} {number}", number + 1
        found[title] = word
    return found


def time_zones() -> dict[str, str]:
    """Instrument → time zone of its clock, `{"JXA-8530F": "Asia/Tokyo"}`; `*` stands for all others."""
    zones = _read().get("time_zones", {})
    if not isinstance(zones, dict):
        raise _unreadable()
    return {str(instrument): str(zone) for instrument, zone in sorted(zones.items())}


def set_time_zone(instrument: str, zone: str | None) -> None:
    """Say which time zone an instrument's clock keeps, so that `acquired_at` can be UTC; None says nothing again."""
    from zoneinfo import available_timezones  # noqa: PLC0415 - reads a folder; only this needs it

    known = available_timezones()
    if zone is not None and known and zone not in known:
        near = difflib.get_close_matches(zone, known, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Names look like Europe/Berlin or Asia/Tokyo."
        raise UsageError("there is no time zone of that name.", where=zone, hint=hint)
    document = _read()
    zones = {name: other for name, other in time_zones().items() if name != instrument}
    document["time_zones"] = zones if zone is None else {**zones, instrument: zone}
    _write(document)


def notify_to(said: str | None = None) -> str | None:
    """Where notices of failures go: what was said, else `SXESLAKE_NOTIFY`, else the configuration's; None nowhere."""
    if said or (said := os.environ.get(NOTIFY_VARIABLE, "").strip()):
        return said
    kept = _read().get("notify")
    if kept is not None and not isinstance(kept, str):
        raise _unreadable()
    return kept or None


def set_notify(where: str | None) -> None:
    """Keep where notices of failures go, a URL or a command; None nowhere. Refuses a URL with a password or query."""
    if where and redact(where) != where:
        raise UsageError(
            "the URL holds a secret or a query, and the configuration keeps none",
            where=redact(where),
            hint=f"Set {NOTIFY_VARIABLE} in the environment.",
        )
    _write({**_read(), "notify": where or None})


def resolve_lake(word: str | None = None) -> tuple[str, How]:
    """The URL that a word means, and where it came from.

    `facility` → (`s3://bucket/prefix`, `name`) where the configuration knows it; a URL or a folder → itself;
    None → `SXESLAKE_LAKE`, else the named lake in use, else the embedded lake.
    """
    lake, how = _choose(word)
    return lake.url, how


def storage_options(word: str | None = None) -> dict[str, str]:
    """The settings kept for the lake that a word means; none for a plain URL."""
    return dict(_choose(word)[0].storage_options)


def cache_bytes() -> int:
    """How much of what was fetched from a remote lake is kept: `SXESLAKE_CACHE_BYTES`, `500MB` or 0; else 2 GiB."""
    said = os.environ.get(CACHE_BYTES_VARIABLE, "").strip()
    if not said:
        return DEFAULT_CACHE_BYTES
    return parse_size(said, CACHE_BYTES_VARIABLE)


def document_bytes(said: str | None = None, where: str = DOCUMENT_LIMIT_VARIABLE) -> int:
    """The longest JSON that is read as metadata: what was said, else `SXESLAKE_DOCUMENT_LIMIT`, else 64 MiB."""
    said = said or os.environ.get(DOCUMENT_LIMIT_VARIABLE, "").strip()
    return parse_size(said, where) if said else DOCUMENT_BYTES


def parse_size(text: str, where: str) -> int:
    """`20GiB`, `5 MB`, `1000` → bytes."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or (match[3] and not match[2]):
        raise UsageError(f"{text!r} is not a size.", where=where, hint="Write bytes, 500MB or 2GiB.")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** " kmgt".index(match[2].lower() or " "))


def limits(up: str | None = None, down: str | None = None) -> tuple[float | None, float | None]:
    """The bandwidths up and down in bytes a second: what was said, else the environment's; None is no limit."""
    said = up or os.environ.get(LIMIT_UP_VARIABLE), down or os.environ.get(LIMIT_DOWN_VARIABLE)
    one, other = (parse_rate(text) if text else None for text in said)
    return one, other


def open_storage(
    word: str | None, options: Mapping[str, str] | None = None, up: str | None = None, down: str | None = None,
    retry_for_s: float | None = None,
) -> tuple[str, Store]:  # fmt: skip
    """The URL that a word means, and the storage there, with the options kept for it, limits, and patience."""
    address, how = resolve_lake(word)
    _LOG.info("lake %s, by %s", redact(address), how)
    bounds = limits(up, down)
    patience_s = parse_retry_for(os.environ.get(RETRY_FOR_VARIABLE)) if retry_for_s is None else retry_for_s
    store = open_store(address, options={**storage_options(word), **(options or {})}, retry_for_s=patience_s)
    return address, limited(store, *bounds)


def parse_retry_for(text: str | None, where: str = RETRY_FOR_VARIABLE) -> float | None:
    """`90`, `90s`, `5min` → seconds; None for nothing. UsageError for anything else."""
    if not text or not text.strip():
        return None
    match = _SECONDS.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"invalid time: {text!r}", where=where, hint="Write seconds, such as 90, or 5min; 0 tries once."
        )
    return float(match[1]) * (60 if match[2] in ("m", "min") else 1)


def names_lake(word: object) -> bool:
    """Whether a word can only mean a lake, and no archive: a URL, a name given by `use`, a folder that is one."""
    if not isinstance(word, str | Path):
        return False
    return "://" in str(word) or str(word) in named_lakes() or (Path(word) / "lake.json").is_file()


def is_secret(option: str) -> bool:
    """Whether a storage option's value must not be shown: `secret_access_key`, `token`; not `profile`."""
    return _SECRET.search(option) is not None


def unknown_name(name: str) -> NotFoundError:
    """The error for a name that the configuration does not have, with its near misses."""
    known = list(named_lakes())
    near = difflib.get_close_matches(name, known, n=3) or known[:5]
    hint = f"There is: {', '.join(near)}." if near else f"Add one with: sxeslake use {name} URL."
    return NotFoundError("no lake has that name", where=name, hint=hint)


def _choose(word: str | None) -> tuple[NamedLake, How]:
    how: How = "option"
    if word is None:
        word, how = os.environ.get(LAKE_VARIABLE) or None, "environment"
    if word is None:
        name = default_name()
        if name is None:
            return NamedLake(default_lake_url()), "default"
        if name not in named_lakes():
            raise unknown_name(name)
        return named_lakes()[name], "name"
    # A word that could be a name is one only when it is known; a folder of that name is written `./facility`.
    if _NAME.fullmatch(word) and word in (lakes := named_lakes()):
        return lakes[word], "name" if how == "option" else how
    return NamedLake(word), how


def _path() -> Path:
    return config_dir() / "config.json"


def _read() -> dict[str, Any]:
    """The configuration as a document; empty where there is none yet."""
    try:
        document = json.loads(_path().read_text(encoding="utf-8", errors="surrogateescape"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unreadable() from error
    if not isinstance(document, dict) or not isinstance(document.get("lakes", {}), dict):
        raise _unreadable()
    return document


def _write(document: Mapping[str, object]) -> None:
    """Replace the file in one step, so that a reader never sees half of it."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".config-", suffix=".json")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as stream:
            json.dump(document, stream, indent=2, ensure_ascii=False)
            stream.write("\n")
        Path(temporary).replace(path)
        _LOG.info("%s is written", path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _unreadable() -> UsageError:
    return UsageError("cannot be read as settings", where=_path(), hint="Fix the file, or remove it to start again.")
