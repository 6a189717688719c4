"""The exchange format, usable without any lake: containers, the sxes group, spectra as arrays.

Names are loaded when they are touched: reading a zip needs no numpy, `import sxeslake.archive` almost nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sxeslake.archive.base import ArchiveWriter, Container
    from sxeslake.archive.container import create_writer, open_container, sniff
    from sxeslake.archive.migration.files import migrate
    from sxeslake.archive.sxes.documents.text import GroupWarning
    from sxeslake.archive.sxes.group import Group, create_group, open_group
    from sxeslake.archive.sxes.items import Resolved
    from sxeslake.archive.sxes.outline import Analysis, Project
    from sxeslake.archive.sxes.position import Image, Position
    from sxeslake.archive.sxes.shared import Background, Condition, RawCondition
    from sxeslake.archive.sxes.source import ContainerSource, MemberSource
    from sxeslake.archive.synthetic import synthetic_facility, synthetic_map

__all__ = [
    "Analysis",
    "ArchiveWriter",
    "Background",
    "Condition",
    "Container",
    "ContainerSource",
    "Group",
    "GroupWarning",
    "Image",
    "MemberSource",
    "Position",
    "Project",
    "RawCondition",
    "Resolved",
    "create_group",
    "create_writer",
    "migrate",
    "open_container",
    "open_group",
    "sniff",
    "synthetic_facility",
    "synthetic_map",
]

_HOME = {
    "Analysis": "sxes.outline",
    "ArchiveWriter": "base",
    "Background": "sxes.shared",
    "Condition": "sxes.shared",
    "Container": "base",
    "ContainerSource": "sxes.source",
    "Group": "sxes.group",
    "GroupWarning": "sxes.documents.text",
    "Image": "sxes.position",
    "MemberSource": "sxes.source",
    "Position": "sxes.position",
    "Project": "sxes.outline",
    "RawCondition": "sxes.shared",
    "Resolved": "sxes.items",
    "create_group": "sxes.group",
    "create_writer": "container",
    "migrate": "migration.files",
    "open_container": "container",
    "open_group": "sxes.group",
    "sniff": "container",
    "synthetic_facility": "synthetic",
    "synthetic_map": "synthetic",
}


def __getattr__(name: str) -> object:
    """Load a public name from the module it lives in (PEP 562)."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
