"""The server in figures for Prometheus: its requests, its process, and the runs that this machine recorded.

Nothing of a lake is read for it: `/metrics` answers while the storage is away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sxeslake.errors import MissingExtraError
from sxeslake.extras import load
from sxeslake.runs.metrics import registry_of
from sxeslake.web.pages import ENDPOINTS

PATH: Final = "/metrics"
REQUESTS: Final = "sxeslake_http_requests"
SECONDS: Final = "sxeslake_http_request_duration_seconds"
NAMES: Final = (f"{REQUESTS}_total", f"{SECONDS}_bucket", f"{SECONDS}_count", f"{SECONDS}_sum")
"""What is told of requests."""

_GONE: Final = 499  # the client went before the answer began


class ServerMetrics:
    """The figures of one application. Raises MissingExtraError where prometheus-client is not installed."""

    def __init__(self, lakes: Mapping[str, str]) -> None:
        prometheus = load("prometheus_client", "web", "/metrics")
        self._choose = load("prometheus_client.exposition", "web", "/metrics").choose_encoder
        self._registry = registry_of(lakes)
        self._requests = prometheus.Counter(
            REQUESTS, "Requests by page and status.", ("page", "status"), registry=self._registry
        )
        self._seconds = prometheus.Histogram(
            SECONDS, "Time from a request to the end of its answer.", ("page",), registry=self._registry
        )

    def observe(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        page = page_of(path)
        self._requests.labels(page, str(status or _GONE)).inc()
        self._seconds.labels(page).observe(seconds)

    def text(self, accept: str) -> tuple[bytes, str]:
        """All figures in the format that is asked for, and its media type."""
        encode, media_type = self._choose(accept)
        return encode(self._registry), media_type


def server_metrics(lakes: Mapping[str, str]) -> ServerMetrics | MissingExtraError:
    """The metrics of an application, or what it says instead where their package is not installed."""
    try:
        return ServerMetrics(lakes)
    except MissingExtraError as error:
        return error


def page_of(path: str) -> str:
    """`/epma/find.json` → `find`. There are few labels, whatever is asked for: anything unknown is `other`."""
    if path == PATH:
        return "metrics"
    if path == "/":
        return "index"
    if path.startswith("/static/"):
        return "static"
    name = path.rpartition("/")[2].removesuffix(".json")
    return name if name in ENDPOINTS else "other"
