"""The readers of vendor formats: a file each, and a line each here; of two that claim a file the surer one takes it."""

from __future__ import annotations

from ..records import Reader
from .jeol_qlw import JeolQlw

READERS: tuple[Reader, ...] = (JeolQlw(),)
