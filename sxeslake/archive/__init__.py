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
    from sxeslake.archive.sxes.extensions.array_fields import ArrayAxis, ArrayFields
    from sxeslake.archive.sxes.extensions.attached import FreeDocument, VendorSource
    from sxeslake.archive.sxes.extensions.channels import Channel
    from sxeslake.archive.sxes.extensions.map_fields import ChannelFields, MapFields, MapFrame
    from sxeslake.archive.sxes.extensions.maps import Map
    from sxeslake.archive.sxes.extensions.originals import FilePart, OriginalFile, OriginalsRecipe
    from sxeslake.archive.sxes.extensions.position_arrays import DescribedArray
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
    "ArrayAxis",
    "ArrayFields",
    "Background",
    "Channel",
    "ChannelFields",
    "Condition",
    "Container",
    "ContainerSource",
    "DescribedArray",
    "FilePart",
    "FreeDocument",
    "Group",
    "GroupWarning",
    "Image",
    "Map",
    "MapFields",
    "MapFrame",
    "MemberSource",
    "OriginalFile",
    "OriginalsRecipe",
    "Position",
    "Project",
    "RawCondition",
    "Resolved",
    "VendorSource",
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
    "ArrayAxis": "sxes.extensions.array_fields",
    "ArrayFields": "sxes.extensions.array_fields",
    "Background": "sxes.shared",
    "Channel": "sxes.extensions.channels",
    "ChannelFields": "sxes.extensions.map_fields",
    "Condition": "sxes.shared",
    "Container": "base",
    "ContainerSource": "sxes.source",
    "DescribedArray": "sxes.extensions.position_arrays",
    "FilePart": "sxes.extensions.originals",
    "FreeDocument": "sxes.extensions.attached",
    "Group": "sxes.group",
    "GroupWarning": "sxes.documents.text",
    "Image": "sxes.position",
    "Map": "sxes.extensions.maps",
    "MapFields": "sxes.extensions.map_fields",
    "MapFrame": "sxes.extensions.map_fields",
    "MemberSource": "sxes.source",
    "OriginalFile": "sxes.extensions.originals",
    "OriginalsRecipe": "sxes.extensions.originals",
    "Position": "sxes.position",
    "Project": "sxes.outline",
    "RawCondition": "sxes.shared",
    "Resolved": "sxes.items",
    "VendorSource": "sxes.extensions.attached",
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
