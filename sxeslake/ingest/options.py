"""What an ingest is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sxeslake.archive.file_facts import Links
from sxeslake.model import Limits, Preset

Mode = Literal["auto", "cheap", "always", "later", "never"]
"""Whether to seek recipes. auto: where it is quick and cheap; cheap: however long it takes; always: at any cost, with
what resists kept as it is; later: not now, `sxeslake exact` will; never: not at all."""

NO_LIMITS = Limits()  # of its own: the defaults


Opaque = Literal["auto", "always", "never"]
"""What becomes of a file that cannot be taken apart. auto: kept whole, unless it is damaged or no archive at all;
always: kept whole in any case; never: refused."""


@dataclass(frozen=True, slots=True)
class Options:
    """What an ingest was asked for."""

    sample: str | None = None
    jobs: int | None = None
    dry_run: bool = False
    encoding: str | None = None
    limits: Limits = NO_LIMITS
    message: str | None = None
    exact: Mode = "auto"
    links: Links = "keep"
    opaque: Opaque = "auto"
    check_data: bool = False  # read and hash the packs that are built on, not only ask for them
    quick: bool = False  # a dry run reads a sample only
    preset: Preset = "balanced"  # how much time compression may take
    passwords: tuple[str, ...] = field(default=(), repr=False)  # each encrypted archive is tried with

    @property
    def recipes(self) -> Mode:
        """Whether to seek recipes: a preset that is in a hurry leaves what is not asked for to later."""
        return "later" if self.preset == "fast" and self.exact == "auto" else self.exact
