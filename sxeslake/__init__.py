"""sxeslake: a content-addressed data lake for electron-microprobe archives.

import sxeslake

with sxeslake.open("s3://epma/lake") as lake:
    for row in lake.ls():
        print(row.sample, row.version)
    lake.pull("ti-grains", "ti-grains.pl7z")

Examples of methods and results are written for `lake`, a lake that is open and holds a sample `map` from `map.plzip`.
Beside that file lies `session 12`, a folder of an instrument's files.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sxeslake.version import __version__

if TYPE_CHECKING:
    from sxeslake.archive.migration.report import MigrationReport, MigrationStep
    from sxeslake.archive.spectra.comparison import Comparison
    from sxeslake.archive.spectra.measured import Measured
    from sxeslake.archive.spectra.roi import Roi, RoiMap
    from sxeslake.archive.spectra.spectra import Spectra
    from sxeslake.archive.sxes.axes import Axis, Calibration
    from sxeslake.archive.sxes.group import Group, create_group, open_group
    from sxeslake.archive.sxes.outline import Analysis, Items, Project
    from sxeslake.archive.sxes.position import Image, Position
    from sxeslake.archive.sxes.shared import Background, Condition, RawCondition
    from sxeslake.catalog.catalog import Annotated, CheckpointReport
    from sxeslake.catalog.measurement import Conditions, MeasuredAnalysis
    from sxeslake.catalog.open_tables.publish import PublishedTable, TablesReport
    from sxeslake.catalog.query.header import Query
    from sxeslake.catalog.query.result import Result
    from sxeslake.catalog.query.sandbox import SandboxLimits
    from sxeslake.catalog.schema.registry import Table
    from sxeslake.catalog.store.comparison import Rebuilt
    from sxeslake.clusters.planning import PlanReport, plan
    from sxeslake.errors import (
        AccessDeniedError,
        AlreadyExistsError,
        ConflictError,
        DamagedArchiveError,
        DamagedLakeError,
        EncryptedArchiveError,
        InputError,
        LakeNotFoundError,
        LimitExceededError,
        MemberNotFoundError,
        MissingExtraError,
        NoSuchIndexError,
        NotAnArchiveError,
        NotFoundError,
        ReadOnlyError,
        SampleNotFoundError,
        StorageError,
        SxeslakeError,
        UnknownUuidError,
        UnreachableError,
        UnsafeNameError,
        UnsupportedMethodError,
        UsageError,
    )
    from sxeslake.exports.report import ExportReport
    from sxeslake.filter_words import FilterWords
    from sxeslake.ingest.audit.report import ReportRow
    from sxeslake.ingest.audit.run import AuditRow
    from sxeslake.ingest.exact_backfill import ExactRow
    from sxeslake.ingest.interpret.report import InterpretReport
    from sxeslake.ingest.report import IngestReport
    from sxeslake.ingest.survey.run import Survey
    from sxeslake.ingest.talk import Watcher
    from sxeslake.lake import Lake, init
    from sxeslake.lake import open_lake as open  # noqa: A004 — `sxeslake.open` reads as it should
    from sxeslake.lakes import Lakes, open_lakes
    from sxeslake.maintenance.calibrations import CalibrationReport
    from sxeslake.maintenance.gc.run import GcReport
    from sxeslake.maintenance.history import LogRow
    from sxeslake.maintenance.repack.run import RepackReport
    from sxeslake.maintenance.report import Check, CopyReport, RepairReport, Stats, VerifyReport
    from sxeslake.maintenance.retention.forget import ForgetReport, RestoreReport
    from sxeslake.maintenance.retention.rename import RenameReport
    from sxeslake.maintenance.retention.tags import MarkReport
    from sxeslake.maintenance.retention.tidy import TidyReport
    from sxeslake.model import Limits, Progress
    from sxeslake.plotting import Plots
    from sxeslake.pull.access import Located
    from sxeslake.pull.difference import Difference
    from sxeslake.pull.drill import DrillReport
    from sxeslake.pull.folder.sync import SyncReport
    from sxeslake.pull.part.selection import Budget, SelectionReport
    from sxeslake.pull.part.wanted import PartSpec
    from sxeslake.pull.share import Restored, ShareReport
    from sxeslake.pull.whole import PullReport
    from sxeslake.reading.files import VersionFiles
    from sxeslake.text.html import Rows
    from sxeslake.vendor.writing.convert import ConversionReport, RecognisedRow, convert
    from sxeslake.vendor.writing.restoring import OriginalsReport
    from sxeslake.views import MemberRow, SampleRow, Samples, VersionInfo

# Loaded when they are touched: the command line must not wait for what it does not use.
_IN = {
    "clusters.planning": "PlanReport plan",
    "archive.migration.report": "MigrationReport MigrationStep",
    "archive.sxes.group": "Group create_group open_group",
    "archive.sxes.outline": "Analysis Items Project",
    "archive.sxes.position": "Image Position",
    "archive.sxes.shared": "Background Condition RawCondition",
    "pull.access": "Located",
    "archive.spectra.comparison": "Comparison",
    "archive.spectra.measured": "Measured",
    "archive.spectra.roi": "Roi RoiMap",
    "archive.spectra.spectra": "Spectra",
    "archive.sxes.axes": "Axis Calibration",
    "pull.difference": "Difference",
    "pull.drill": "DrillReport",
    "reading.files": "VersionFiles",
    "pull.whole": "PullReport",
    "pull.share": "Restored ShareReport",
    "pull.part.selection": "Budget SelectionReport",
    "pull.part.wanted": "PartSpec",
    "exports.report": "ExportReport",
    "pull.folder.sync": "SyncReport",
    "catalog.catalog": "Annotated CheckpointReport",
    "filter_words": "FilterWords",
    "catalog.query.header": "Query",
    "catalog.open_tables.publish": "PublishedTable TablesReport",
    "catalog.measurement": "Conditions MeasuredAnalysis",
    "catalog.store.comparison": "Rebuilt",
    "catalog.query.result": "Result",
    "catalog.query.sandbox": "SandboxLimits",
    "catalog.schema.registry": "Table",
    "errors": "AccessDeniedError AlreadyExistsError ConflictError DamagedArchiveError DamagedLakeError "
    "EncryptedArchiveError InputError LakeNotFoundError LimitExceededError MemberNotFoundError MissingExtraError "
    "NoSuchIndexError NotAnArchiveError NotFoundError ReadOnlyError SampleNotFoundError StorageError SxeslakeError "
    "UnknownUuidError UnreachableError UnsafeNameError UnsupportedMethodError UsageError",
    "text.html": "Rows",
    "ingest.audit.run": "AuditRow",
    "ingest.audit.report": "ReportRow",
    "ingest.exact_backfill": "ExactRow",
    "ingest.interpret.report": "InterpretReport",
    "ingest.report": "IngestReport",
    "ingest.survey.run": "Survey",
    "ingest.talk": "Watcher",
    "lake": "Lake init",
    "lakes": "Lakes open_lakes",
    "model": "Limits Progress",
    "plotting": "Plots",
    "maintenance.calibrations": "CalibrationReport",
    "maintenance.retention.forget": "ForgetReport RestoreReport",
    "maintenance.gc.run": "GcReport",
    "maintenance.history": "LogRow",
    "maintenance.retention.tags": "MarkReport",
    "maintenance.repack.run": "RepackReport",
    "maintenance.retention.rename": "RenameReport",
    "maintenance.report": "Check CopyReport RepairReport Stats VerifyReport",
    "maintenance.retention.tidy": "TidyReport",
    "vendor.writing.convert": "ConversionReport RecognisedRow convert",
    "vendor.writing.restoring": "OriginalsReport",
    "views": "MemberRow SampleRow Samples VersionInfo",
}
_HOME = {name: (module, name) for module, names in _IN.items() for name in names.split()}
_HOME["open"] = ("lake", "open_lake")

__all__ = [
    "AccessDeniedError",
    "AlreadyExistsError",
    "Analysis",
    "Annotated",
    "AuditRow",
    "Axis",
    "Background",
    "Budget",
    "Calibration",
    "CalibrationReport",
    "Check",
    "CheckpointReport",
    "Comparison",
    "Condition",
    "Conditions",
    "ConflictError",
    "ConversionReport",
    "CopyReport",
    "DamagedArchiveError",
    "DamagedLakeError",
    "Difference",
    "DrillReport",
    "EncryptedArchiveError",
    "ExactRow",
    "ExportReport",
    "FilterWords",
    "ForgetReport",
    "GcReport",
    "Group",
    "Image",
    "IngestReport",
    "InputError",
    "InterpretReport",
    "Items",
    "Lake",
    "LakeNotFoundError",
    "Lakes",
    "LimitExceededError",
    "Limits",
    "Located",
    "LogRow",
    "MarkReport",
    "Measured",
    "MeasuredAnalysis",
    "MemberNotFoundError",
    "MemberRow",
    "MigrationReport",
    "MigrationStep",
    "MissingExtraError",
    "NoSuchIndexError",
    "NotAnArchiveError",
    "NotFoundError",
    "OriginalsReport",
    "PartSpec",
    "PlanReport",
    "Plots",
    "Position",
    "Progress",
    "Project",
    "PublishedTable",
    "PullReport",
    "Query",
    "RawCondition",
    "ReadOnlyError",
    "Rebuilt",
    "RecognisedRow",
    "RenameReport",
    "RepackReport",
    "RepairReport",
    "ReportRow",
    "RestoreReport",
    "Restored",
    "Result",
    "Roi",
    "RoiMap",
    "Rows",
    "SampleNotFoundError",
    "SampleRow",
    "Samples",
    "SandboxLimits",
    "SelectionReport",
    "ShareReport",
    "Spectra",
    "Stats",
    "StorageError",
    "Survey",
    "SxeslakeError",
    "SyncReport",
    "Table",
    "TablesReport",
    "TidyReport",
    "UnknownUuidError",
    "UnreachableError",
    "UnsafeNameError",
    "UnsupportedMethodError",
    "UsageError",
    "VerifyReport",
    "VersionFiles",
    "VersionInfo",
    "Watcher",
    "__version__",
    "convert",
    "create_group",
    "init",
    "open",
    "open_group",
    "open_lakes",
    "plan",
]


def __getattr__(name: str) -> object:
    """Load a public name from the module it lives in (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOME[name]
    value = getattr(import_module(f"{__name__}.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
