"""What a verification found wrong, in the terms that a repair needs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sxeslake.format.logentry import PackAdded
from sxeslake.format.pack import Footer
from sxeslake.maintenance.gc.digests import U64
from sxeslake.vault.log.state import Version


@dataclass(slots=True)
class PackFinding:
    """A pack that is missing, or parts of it are wrong."""

    record: PackAdded
    footer: Footer | None = None  # None: missing or damaged, and with it all that it says
    frames: list[int] = field(default_factory=list)  # numbers of those that cannot be decoded as they should
    digests: set[bytes] = field(default_factory=set)  # blobs that cannot be had from it


@dataclass(slots=True)
class Findings:
    """Everything that is wrong, by kind of object."""

    lake_file: bool = False
    log_entries: list[int] = field(default_factory=list)
    strays: list[int] = field(default_factory=list)  # objects far behind the end of the log
    checkpoints: bool = False
    packs: dict[str, PackFinding] = field(default_factory=dict)
    manifests: dict[str, list[Version]] = field(default_factory=dict)
    lost: dict[str, Version] = field(default_factory=dict)  # versions of which blobs are in no pack
    known: U64 = field(
        default_factory=lambda: np.empty(0, np.uint64)
    )  # the first 8 bytes of each blob in a whole footer


U8 = npt.NDArray[np.uint8]
