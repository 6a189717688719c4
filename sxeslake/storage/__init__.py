"""Storage: the only floor that talks to a disk or an object store. Everything above sees a `Store`.

Importing this package is light; fsspec and the S3 client load when a URL needs them.
"""

from __future__ import annotations

from .address import is_remote, redact
from .inflight import CancelledRequestError, Operation, cancel_requests
from .interface import (
    Clocked,
    Counters,
    Data,
    ObjectInfo,
    SelfDescribing,
    Settling,
    Store,
    Versioned,
    fetches_of,
    settle,
)
from .opening import open_store
from .probe import ProbeReport, probe
from .throttle import RateLimit, ThrottledStore, limited, parse_rate

__all__ = [
    "CancelledRequestError",
    "Clocked",
    "Counters",
    "Data",
    "ObjectInfo",
    "Operation",
    "ProbeReport",
    "RateLimit",
    "SelfDescribing",
    "Settling",
    "Store",
    "ThrottledStore",
    "Versioned",
    "cancel_requests",
    "fetches_of",
    "is_remote",
    "limited",
    "open_store",
    "parse_rate",
    "probe",
    "redact",
    "settle",
]
