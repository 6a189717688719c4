"""One request, as a page sees it: which lake at which commit, the words of its query, and the job that does it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sxeslake.errors import UsageError
from sxeslake.lake import Lake
from sxeslake.vault import refs
from sxeslake.web.lakes import ServedLake, Site
from sxeslake.web.links import Word
from sxeslake.web.options import ServeOptions
from sxeslake.web.work import Job

_MOST_WORDS = 500
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Visit:
    """What a handler of a page gets."""

    site: Site
    options: ServeOptions
    served: ServedLake
    commit: int
    words: Sequence[Word]
    job: Job
    user: str | None = None

    def __post_init__(self) -> None:
        """Refuse a query that nobody typed."""
        if len(self.words) > _MOST_WORDS:
            raise UsageError(f"the address has more than {_MOST_WORDS} words.")

    @property
    def lake(self) -> Lake:
        """The lake itself."""
        return self.served.lake

    def in_lake(self, slug: str) -> Visit:
        """The same request, in another lake of this server at its newest commit."""
        other = self.site[slug]
        return replace(self, served=other, commit=other.head())

    @property
    def of(self) -> str:
        """The archive that the address names, `of=ti-map@2`."""
        return self.needed("of")

    def pinned(self, ref: str) -> str:
        """`ti-map@2` for `ti-map`, `ti-map@2` or `ti-map@paper`. SampleNotFoundError where there is none."""
        return refs.find(self.lake._vault.state, ref).name

    def one(self, name: str, default: str = "") -> str:
        """The last value of a word, without blanks around it."""
        return next((value.strip() for key, value in reversed(self.words) if key == name and value.strip()), default)

    def many(self, name: str) -> list[str]:
        """All values of a word that say anything, each once."""
        return list(dict.fromkeys(value.strip() for key, value in self.words if key == name and value.strip()))

    def needed(self, name: str) -> str:
        """The value of a word without which there is no page."""
        value = self.one(name)
        if not value:
            raise UsageError(f'this address needs the word "{name}".', hint="Start from the page Find.")
        return value

    def flag(self, name: str) -> bool:
        """Whether a tick box is set."""
        return self.one(name) not in ("", "0", "no", "false")

    def whole(self, name: str, default: int, most: int = 10**9) -> int:
        """A whole number from 1."""
        text = self.one(name)
        if not text:
            return default
        if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= most:
            raise UsageError(f"{text[:40]!r} is not a number from 1 to {most:,}.", where=f"the word {name}")
        return int(text)

    def number(self, name: str) -> float | None:
        """A finite number, None where none is given."""
        text = self.one(name).replace(",", ".")
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UsageError(f"{text[:40]!r} is not a number.", where=f"the word {name}")
        return value

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """One of some words; the first where none is given."""
        value = self.one(name, allowed[0])
        if value not in allowed:
            raise UsageError(f"{value[:40]!r} is not a choice for {name}.", hint=f"Available: {', '.join(allowed)}.")
        return value
