"""The physical limit of a work: what its indispensable parts cost, each alone in one thread, spread over all cores.

Parts are measured by `parts.py` in the same run. Not counted, so that the limit is one: the start of the command,
members' names and places, the choice of a pipeline, and whatever links the parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Rates = Mapping[str, float]
"""Processor seconds a byte, by part; of raw bytes, but `read`, `write` and `sha256`: of the bytes that these take."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Processor seconds of each part, and the cores that may share them."""

    parts: Mapping[str, float]
    cores: int

    @property
    def cpu_s(self) -> float:
        """The least processor seconds."""
        return sum(self.parts.values())

    @property
    def seconds(self) -> float:
        """The least seconds."""
        return self.cpu_s / self.cores


def _limit(rates: Rates, amounts: Mapping[str, int], cores: int) -> Limit:
    return Limit({part: rates[part] * amount for part, amount in amounts.items()}, cores)


def of_ingest(
    rates: Rates, cores: int, *, source: int, raw: int, stored: int, new_raw: int | None = None, proved_raw: int = 0
) -> Limit:
    """Of storing archives of `source` bytes that hold `raw` bytes, `new_raw` of them unknown before.

    `proved_raw`: of members that are deflated once more, to prove that the archive can be made again byte for byte.
    """
    new = raw if new_raw is None else new_raw
    amounts = {
        "read": source, "sha256": source, "inflate": raw, "crc32": raw, "blake3": raw, "encode": new, "decode": new,
        "write": stored,
    }  # fmt: skip
    return _limit(rates, {**amounts, "deflate": proved_raw} if proved_raw else amounts, cores)


def of_recognition(rates: Rates, cores: int, *, source: int) -> Limit:
    """Of seeing that archives are known; one core for one archive, whose SHA-256 cannot be shared out."""
    return _limit(rates, {"read": source, "sha256": source}, cores)


def of_pull(rates: Rates, cores: int, *, stored: int, raw: int, out: int) -> Limit:
    """Of writing an archive of `out` bytes."""
    amounts = {
        "read": stored, "decode": raw, "blake3": raw, "crc32": raw, "deflate": raw, "sha256": out, "write": out,
    }  # fmt: skip
    return _limit(rates, amounts, cores)


def of_unpacking(rates: Rates, cores: int, *, stored: int, raw: int) -> Limit:
    """Of writing the members as files."""
    return _limit(rates, {"read": stored, "decode": raw, "blake3": raw, "write": raw}, cores)


def of_verification(rates: Rates, cores: int, *, stored: int, raw: int) -> Limit:
    """Of proving every stored byte."""
    return _limit(rates, {"read": stored, "decode": raw, "blake3": raw}, cores)
