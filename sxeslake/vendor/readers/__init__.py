"""The readers of vendor formats: a file each, and a line each here; of two that claim a file the surer one takes it."""

from __future__ import annotations

from ..records import Reader
from .emsa import Emsa
from .hmsa import Hmsa
from .jeol_image import JeolImage
from .jeol_map import JeolMap
from .jeol_qlw import JeolQlw
from .jeol_qnt import JeolQnt
from .jeol_unix import JeolUnix
from .peaksight import PeakSight
from .probe_database import ProbeDatabase
from .probe_for_epma import ProbeForEpma
from .ripple import Ripple
from .rosettasciio import RosettaSciIO
from .thermo_nss import ThermoNss

READERS: tuple[Reader, ...] = (
    JeolQlw(),
    JeolMap(),
    JeolUnix(),
    JeolQnt(),
    ThermoNss(),
    ProbeForEpma(),
    ProbeDatabase(),
    PeakSight(),
    Ripple(),
    Hmsa(),
    Emsa(),
    JeolImage(),
    RosettaSciIO(),
)
