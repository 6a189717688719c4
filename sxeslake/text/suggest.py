"""Near misses: what somebody meant who wrote `acelerating_voltage` or `--curent-na`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_LIST_ALL = 12
"""Up to so many known words are all listed when none of them is near."""


def nearest(word: str, known: Iterable[str], *, limit: int = 3) -> list[str]:
    """The known words most like `word`: alike as a whole, or sharing its parts (`kv` → `accelerating_voltage_kv`)."""
    by_fold = {_fold(name): name for name in known}
    wanted = _fold(word)
    # A slip of the finger has one obvious answer; only when there is none, look further.
    found = difflib.get_close_matches(wanted, by_fold, n=limit, cutoff=0.85)
    if not found:
        found = difflib.get_close_matches(wanted, by_fold, n=limit, cutoff=0.65)
        parts = set(wanted.split("_"))
        found += sorted((name for name in by_fold if parts <= set(name.split("_"))), key=len)
        if len(wanted) >= 3:
            found += sorted((name for name in by_fold if wanted in name), key=len)
    return [by_fold[name] for name in dict.fromkeys(found)][:limit]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence for an error's hint: `Did you mean "grating" or "gain"?`, or the short list of what there is."""
    words = list(dict.fromkeys(known))
    near = nearest(word, words)
    if near:
        return f"Did you mean {' or '.join(_quoted(name) for name in near)}?"
    if 0 < len(words) <= _LIST_ALL:
        return f"There is {', '.join(_quoted(name) for name in sorted(words))}."
    return ""


def _fold(word: str) -> str:
    return re.sub(r"[-\s]+", "_", word.strip().casefold())


def _quoted(name: str) -> str:
    return f'"{name}"'
