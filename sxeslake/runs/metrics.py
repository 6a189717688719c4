"""Runs as metrics: for a scrape, and as a file for node_exporter's textfile collector. Needs the extra `metrics`.

All are gauges, so that the file is valid both as OpenMetrics and in the older text format that node_exporter reads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from sxeslake.disk.output import written_file
from sxeslake.errors import StorageError, SxeslakeError
from sxeslake.extras import load
from sxeslake.runs import folder as runs_folder
from sxeslake.runs.health import Latest, latest_of
from sxeslake.runs.record import RunRecord
from sxeslake.version import __version__

_LOG = logging.getLogger(__name__)

EXTRA: Final = "metrics"
LABELS: Final = ("lake", "command", "target")
RESULTS: Final = ("ok", "failed", "interrupted", "running")


class _Metric(NamedTuple):
    name: str
    help: str
    value: Callable[[Latest], float | None]


def _of(which: Literal["last", "ended", "success"], field: str) -> Callable[[Latest], float | None]:
    """A field of one of the last runs; an instant as Unix time."""

    def value(latest: Latest) -> float | None:
        found = getattr(getattr(latest, which), field, None)
        return datetime.fromisoformat(found).timestamp() if isinstance(found, str) else found

    return value


_METRICS: Final = (
    _Metric("sxeslake_run_start_timestamp_seconds", "Start of the last run, Unix time.", _of("last", "started_at")),
    _Metric("sxeslake_run_update_timestamp_seconds", "Last sign of life of the last run, Unix time.",
            _of("last", "updated_at")),
    _Metric("sxeslake_run_end_timestamp_seconds", "End of the last run that ended, Unix time.",
            _of("ended", "ended_at")),
    _Metric("sxeslake_run_success_timestamp_seconds", "End of the last run that did all, Unix time.",
            _of("success", "ended_at")),
    _Metric("sxeslake_run_duration_seconds", "Time of the last run.", _of("last", "duration_s")),
    _Metric("sxeslake_run_exit_code", "Exit code of the last run that ended.", _of("ended", "exit_code")),
    _Metric("sxeslake_run_archives", "Archives that the last run stored or copied.", _of("last", "archives")),
    _Metric("sxeslake_run_read_bytes", "Bytes that the last run read.", _of("last", "bytes_read")),
    _Metric("sxeslake_run_written_bytes", "Bytes that the last run wrote.", _of("last", "bytes_written")),
    _Metric("sxeslake_run_freed_bytes", "Bytes that the last run freed.", _of("last", "bytes_freed")),
    _Metric("sxeslake_run_retries", "Requests to the storage that the last run tried again.", _of("last", "retries")),
    _Metric("sxeslake_run_failures", "Failures in the last run.", _of("last", "failures")),
)  # fmt: skip

_RESULT: Final = "sxeslake_run_result"
_BUILD: Final = "sxeslake_build_info"

NAMES: Final = (*(each.name for each in _METRICS), _RESULT, _BUILD)
"""What is told of runs."""


class RunCollector:
    """A collector of prometheus_client: reads the records at each scrape, and nothing of a lake.

    `lakes` are URLs with the names that stand in the label; None takes all that have records, by the names of `use`.
    """

    def __init__(self, lakes: Mapping[str, str] | None = None, folder: Path | None = None) -> None:
        self._lakes, self._folder = lakes, folder

    def collect(self) -> Iterator[Any]:
        """The families of metrics, as they are now."""
        place = runs_folder.runs_dir() if self._folder is None else self._folder
        try:
            yield from _families(_rows(place, self._lakes))
        except OSError as error:  # what else a scrape asks for is still answered
            _LOG.warning("the records of runs cannot be read: %s: %s", error.filename, error.strerror)


def check_extra() -> None:
    """Raise MissingExtraError where the extra is not installed, before any work is done."""
    load("prometheus_client", EXTRA, "writing metrics")


def write_file(path: Path, own: RunRecord, folder: Path) -> None:
    """Write the metrics of all runs that name this file, in one step; SxeslakeError where that fails.

    Commands that name the same file stand in it together, whichever of them writes it; a run by hand that names none
    counts, too.
    """
    exposition = load("prometheus_client.openmetrics.exposition", EXTRA, "writing metrics")
    registry = load("prometheus_client", EXTRA, "writing metrics").CollectorRegistry(auto_describe=False)
    named = _names()
    try:
        rows = [row for row in _rows(folder, None) if row[3].metrics_file == str(path)]
    except OSError:
        rows = []
    key = (named.get(own.lake, own.lake), own.command, own.target or "")
    if key not in [row[:3] for row in rows] and not own.dry_run:  # the state folder could not take it
        rows.append((*key, latest_of([own])[own.target]))
    registry.register(_Fixed(_families(rows)))
    with written_file(path, force=True) as file:
        file.write(exposition.generate_latest(registry))


@contextmanager
def serve_metrics(
    host: str, port: int, lakes: Mapping[str, str] | None = None, folder: Path | None = None
) -> Iterator[str]:
    """Answer `/metrics` from a thread until the block ends; gives the address. Port 0 takes any.

    Of this process its memory, processor time and open files; of runs what `RunCollector` tells.
    """
    prometheus = load("prometheus_client", EXTRA, "serving metrics")
    try:
        server, thread = prometheus.start_http_server(port, addr=host, registry=registry_of(lakes, folder))
    except OSError as error:
        raise StorageError(
            f"cannot listen there: {error.strerror}.", where=f"{host}:{port}", hint="Another port, or 0 for any."
        ) from None
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{server.server_address[1]}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def registry_of(lakes: Mapping[str, str] | None = None, folder: Path | None = None) -> Any:
    """A registry of prometheus_client with the runs, this process and the version; MissingExtraError without it."""
    prometheus = load("prometheus_client", EXTRA, "serving metrics")
    registry = prometheus.CollectorRegistry(auto_describe=False)
    prometheus.ProcessCollector(registry=registry)
    registry.register(RunCollector(lakes, folder))
    return registry


def lake_names(urls: Iterable[str]) -> dict[str, str]:
    """Each URL with its name from `use`, else itself."""
    named = _names()
    return {url: named.get(url, url) for url in urls}


class _Fixed:
    """A collector of what is known already."""

    def __init__(self, families: Iterable[Any]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Any]:
        yield from self._families


_Row = tuple[str, str, str, Latest]
"""Lake, command, target, its last runs."""


def _rows(folder: Path, lakes: Mapping[str, str] | None) -> list[_Row]:
    if lakes is None:
        lakes = lake_names(runs_folder.lakes(folder))
    return [
        (label, command, target or "", latest)
        for url, label in lakes.items()
        for command in runs_folder.commands(folder, url)
        for target, latest in latest_of(runs_folder.newest_first(folder, url, command)).items()
    ]


def _families(rows: Iterable[_Row]) -> Iterator[Any]:
    core = load("prometheus_client.core", EXTRA, "writing metrics")
    held = list(rows)
    for metric in _METRICS:
        family = core.GaugeMetricFamily(metric.name, metric.help, labels=LABELS)
        for lake, command, target, latest in held:
            value = metric.value(latest)
            if value is not None:
                family.add_metric((lake, command, target), value)
        yield family
    family = core.GaugeMetricFamily(
        _RESULT, "1 for the result of the last run, 0 for the others.", labels=(*LABELS, "result")
    )
    for lake, command, target, latest in held:
        for result in RESULTS:
            if latest.last is not None:
                family.add_metric((lake, command, target, result), float(latest.last.result == result))
    yield family
    family = core.GaugeMetricFamily(_BUILD, "The version of sxeslake.", labels=("version",))
    family.add_metric((__version__,), 1)
    yield family


def _names() -> dict[str, str]:
    """URL → name of `use`; none where the configuration cannot be read."""
    from sxeslake.settings import named_lakes  # noqa: PLC0415 - only where metrics are wanted

    try:
        return {lake.url: name for name, lake in named_lakes().items()}
    except SxeslakeError:
        return {}
