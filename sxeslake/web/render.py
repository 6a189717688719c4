"""Templates and what they may say: every text from outside is escaped, and its invisible characters are written out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from sxeslake.catalog.query.export import plain
from sxeslake.catalog.schema.heads import head
from sxeslake.text.safe import visible_lines
from sxeslake.text.table import size
from sxeslake.version import __version__
from sxeslake.web.links import link


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("sxeslake.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_shown,
    )  # fmt: skip
    made.globals.update(link=link, size=size, head=head, version=__version__)
    made.filters["json"] = json.dumps
    made.filters["coded"] = _coded
    made.filters["clock"] = lambda time: time.strftime("%Y-%m-%d %H:%M") if time is not None else ""
    made.filters["count"] = lambda number, one, many="": f"{number:,} {one if number == 1 else many or one + 's'}"
    return made


def _coded(text: str) -> Markup:
    """A text whose words between backticks are code."""
    parts = visible_lines(text).split("`")
    if len(parts) % 2 == 0:
        return escape("`".join(parts))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


def prepare() -> None:
    """Compile all templates, which the first page of each kind would wait for."""
    for name in _environment().list_templates(extensions=["html"]):
        _environment().get_template(name)


def _shown(value: object) -> object:
    """A text with what steers a browser's or a reader's eye, such as marks of direction, written out; None is empty."""
    if value is None:
        return ""
    return visible_lines(value) if type(value) is str else value


def rendered(template: str, values: Mapping[str, Any]) -> bytes:
    """A page as UTF-8."""
    return _environment().get_template(template).render(values).encode("utf-8", "backslashreplace")


def as_json(data: object) -> bytes:
    """A document as JSON in plain ASCII."""
    return (json.dumps(_plain(data), ensure_ascii=True, indent=1) + "\n").encode()


def _plain(value: Any) -> Any:
    """Dataclasses as their fields, and what `plain` knows."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return plain(value)
