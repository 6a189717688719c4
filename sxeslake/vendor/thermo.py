"""Lists of Thermo NSS and Pathfinder: `.p_s` of spots on a picture, `.csi` of the maps of a spectrum image."""

from __future__ import annotations

from collections.abc import Iterator

from .records import Json
from .texts import number_of
from .values import stated

PHASES_SCHEMA = "sxeslake/phases/1"

_MOST_SPOTS = _MOST_PHASES = 10_000
_SEGMENT_WORDS = 5


def parse_spots(text: str) -> dict[str, Json]:
    """The spots of a `.p_s` by the name of their spectrum: kind, label, and place between 0 and 1 of the picture."""
    lines = [line.strip() for line in text.splitlines()]
    found: dict[str, Json] = {}
    at = 3
    while at + 2 < len(lines) and len(found) < _MOST_SPOTS:
        if not lines[at].startswith("#"):
            at += 1
            continue
        words = lines[at].split()
        place = [number_of(word) for word in lines[at + 2].split(",")]
        spot: Json = {"label": words[0], "kind": words[1] if len(words) > 1 else "", "reference": lines[1]}
        if len(place) >= 4 and None not in place[:4] and place[2] and place[3]:
            spot["place"] = [(place[0] or 0.0) / place[2], (place[1] or 0.0) / place[3]]
        found[lines[at + 1]] = spot
        at += 3
    return found


def parse_phases(text: str) -> Json:
    """Components and phases of a `.csi`: their files, and names, shares of the area in percent and colours.

    A spectrum, a map and a line of details stand one below another. A component is cut into segments of its scores;
    a phase is made of components or lines. {} where there are none; a line that is cut off gives what it has.
    """
    lines = [line.strip() for line in text.splitlines()]
    found: dict[str, list[Json]] = {"components": [], "phases": []}
    for at, line in enumerate(lines[:-2]):
        kind = {".pcs": "components", ".fzs": "phases"}.get(line[-5:-1].casefold())
        if kind is None or len(found[kind]) >= _MOST_PHASES:
            continue
        words = [word.strip() for word in lines[at + 2].split(",")]
        about = {"segments": list(_segments(words[1:]))} if kind == "components" else _phase(words)
        found[kind].append(stated({"spectrum": line, "map": lines[at + 1], **about}))
    return {kind: each for kind, each in found.items() if each}


def _segments(words: list[str]) -> Iterator[Json]:
    """Name, ends of the scores, share of the area, colour, one after another."""
    for at in range(0, len(words) - _SEGMENT_WORDS + 1, _SEGMENT_WORDS):
        name, low, high, area, colour = words[at : at + _SEGMENT_WORDS]
        ends = [number_of(low), number_of(high)]
        yield stated(
            {
                "name": name,
                "scores": None if None in ends else ends,
                "areaPercent": number_of(area),
                "colour": _colour(colour),
            }
        )


def _phase(words: list[str]) -> Json:
    """Name and share of the area; what it was made of follows a word and its count."""
    name, area, made_of = (words[2:3] or [""])[0], number_of("".join(words[3:4])), words[6:]
    return {"name": name, "areaPercent": area, "of": made_of or None}


def _colour(text: str) -> str:
    """A colour of Windows, blue before green before red, as `#rrggbb`."""
    value = number_of(text)
    if value is None or not value.is_integer() or not 0 <= value < 1 << 24:
        return ""
    red, green, blue = int(value).to_bytes(3, "little")
    return f"#{red:02x}{green:02x}{blue:02x}"
