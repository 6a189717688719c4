"""The child of `sandbox.py`: answers one SELECT over the catalogue's parts, under limits, and dies.

Run by its path (`python -I sandbox_child.py`), it imports nothing of the package: what it imports is paid for by every
free query. The request is one line of JSON on stdin. The answer is frames on stdout: a kind (`N` the names that the
query reads, `A` bytes of an Arrow IPC stream, `E` an error, `D` done), eight bytes of length, the payload. After `N`
the parent brings the parts of these tables and sends one more line: the statements for their views, and the files.

So nothing of a query is parsed outside, and the limits hold for the parser, too. What confines the query, from the
outside in:

- the statement: exactly one that DuckDB's own parser calls SELECT (or EXPLAIN of one), whose syntax tree holds nothing
  but selects (DuckDB 2 takes `WITH t AS (COPY … TO …) SELECT …` for a SELECT), no table function and no view of
  DuckDB's own but those known to tell of nothing but tables and types, and no function that tells of the machine;
- DuckDB's settings: no external access but the named parts, no extensions, no spill, then locked;
- the operating system: no file may grow, no core dump, CPU seconds, and a limit on memory. Linux enforces
  `RLIMIT_AS`; on macOS, which does not, a thread watches the resident size; on Windows a job object limits the commit.
  The parent kills the child at its deadline everywhere.
"""

from __future__ import annotations

import datetime as dt
import decimal
import io
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

MEMORY_EXIT = 77
"""Exit status of a child that its own watchdog ended for its memory."""

BATCH_ROWS = 32_768

NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
"""Query nodes that only read. Others of DuckDB 2 are INSERT_QUERY_NODE, DELETE_QUERY_NODE, COPY_QUERY_NODE …"""

TABLE_FUNCTIONS = frozenset(
    {
        "duckdb_columns", "duckdb_functions", "duckdb_keywords", "duckdb_types", "generate_series", "histogram",
        "histogram_values", "icu_calendar_names", "json_each", "json_tree", "pg_timezone_names", "pragma_table_info",
        "pragma_version", "range", "repeat", "repeat_row", "summary", "unnest",
    }
)  # fmt: skip
"""Table functions that touch nothing but their arguments and the names of tables. All others are refused, also those
that take SQL as text (`query`, `json_execute_serialized_sql`): the walk over the syntax tree could not see into it."""

VIEWS = frozenset({"columns", "schemata", "tables", "duckdb_columns", "duckdb_schemas", "duckdb_types"})
"""DuckDB's own views that may be read: names and types. Others show settings, or the files behind a table."""

SHOWS = frozenset({'"tables"', "__show_tables_expanded"})
"""What SHOW may list."""

REFUSED_FUNCTIONS = frozenset(
    {
        "current_connection_id", "current_query_id", "current_setting", "current_transaction_id", "currval",
        "get_block_size", "getenv", "getvariable", "nextval", "pg_get_constraintdef", "pg_get_viewdef", "pg_sleep",
        "setseed", "setval", "sleep_ms", "stats", "txid_current", "write_log",
    }
)  # fmt: skip
"""Scalar functions and macros that tell of the machine, write, or only waste time."""

_EXPLAIN = re.compile(r"\s*EXPLAIN\b(?P<analyze>\s+ANALYZE\b)?(?P<options>\s*\([^()]*\))?", re.IGNORECASE)


class RefusedError(Exception):
    """The statement is not one that the sandbox runs."""


class TooLargeError(Exception):
    """The result is larger than its cap."""


def main() -> None:
    """Read the request, answer it."""
    out = _private_stdout()
    request = json.loads(sys.stdin.buffer.readline())
    sys.path.extend(path for path in request["import_paths"] if path not in sys.path)
    try:
        _answer(request, out)
    except RefusedError as error:
        _frame(out, b"E", json.dumps({"kind": "refused", "message": str(error)}).encode())
    except RecursionError:
        _frame(out, b"E", json.dumps({"kind": "refused", "message": "it is nested too deeply."}).encode())
    except TooLargeError as error:
        _frame(out, b"E", json.dumps({"kind": "result", "message": str(error)}).encode())
    except MemoryError:
        _frame(out, b"E", json.dumps({"kind": "memory", "message": "out of memory"}).encode())
    except Exception as error:  # whatever else happens is told to the parent, which knows whom to tell
        _frame(out, b"E", json.dumps({"kind": "start", "message": f"{type(error).__name__}: {error}"}).encode())
    out.flush()
    os._exit(0)  # DuckDB's destructors have nothing to save, and take time


def _answer(request: dict[str, Any], out: BinaryIO) -> None:
    import duckdb  # noqa: PLC0415 - found only after the request named the import paths
    import pyarrow as pa  # noqa: PLC0415 - as above

    phase = "limits"
    connection = duckdb.connect(":memory:", config={"threads": request["threads"]})
    try:
        limit_process(request)
        phase = "sql"
        query = parsed(connection, request["sql"])
        _frame(out, b"N", json.dumps(sorted(query.names)).encode())
        out.flush()
        scope = json.loads(sys.stdin.buffer.readline())
        phase = "setup"
        _prepare(connection, request | scope)
        phase = "sql"
        check_query(connection, query)
        # A relation streams; the result of `execute` is whole in memory before its first batch.
        values = {name: _value(*given) for name, given in request["parameters"].items()}
        relation = connection.sql(query.sql, params=values or None)
        reader = carried(relation).to_arrow_reader(BATCH_ROWS)
        rows, truncated = _send(reader, out, pa, request)
        _frame(out, b"D", json.dumps({"rows": rows, "truncated": truncated}).encode())
    except (
        duckdb.Error,
        pa.ArrowException,
        OSError,
        ValueError,
    ) as error:  # DuckDB's errors in a stream come as OSError
        message = str(error)
        if isinstance(error, duckdb.OutOfMemoryException | pa.ArrowMemoryError) or message.startswith("Out of Memory"):
            phase = "memory"
        report = {"kind": phase, "message": message, "names": _names(connection) if phase == "sql" else []}
        _frame(out, b"E", json.dumps(report).encode())


_NOT_CARRIED = re.compile(
    r"\b(INTERVAL|BIT|BIGNUM|UHUGEINT|TIME WITH TIME ZONE|GEOMETRY|VARIANT|UNION|TYPE)\b", re.IGNORECASE
)
"""Types that Arrow or a file format has no form for, or another value."""


def carried(relation: Any) -> Any:
    """The rows with such values as text."""
    types = [str(kind) for kind in relation.types]
    if not any(map(_NOT_CARRIED.search, types)):
        return relation
    columns = [
        f'CAST(#{place} AS VARCHAR) AS "{name}"' if _NOT_CARRIED.search(kind) else f"#{place}"
        for place, (name, kind) in enumerate(
            zip([name.replace('"', '""') for name in relation.columns], types, strict=True), 1
        )
    ]
    return relation.project(", ".join(columns))


def _value(kind: str, written: Any) -> object:
    """A parameter's value, as the parent's `_written` wrote it."""
    return [_value(*each) for each in written] if kind == "list" else _VALUES[kind](written)


_VALUES: dict[str, Callable[[Any], object]] = {
    "plain": lambda written: written,
    "float": float,
    "decimal": decimal.Decimal,
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "bytes": bytes.fromhex,
}


def _prepare(connection: Any, request: dict[str, Any]) -> None:
    """Make the views, then shut every door and throw away the key."""
    for statement in request["setup"]:
        connection.execute(statement)
    settings: dict[str, object] = {
        "TimeZone": "UTC",
        "memory_limit": f"{request['memory_bytes'] * 3 // 4}B",
        "temp_directory": "",
        "max_temp_directory_size": "0B",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "python_enable_replacements": False,
        "allowed_paths": request["allowed_paths"],
        "enable_external_access": False,
        "lock_configuration": True,  # last: nothing can be set after it
    }
    for name, value in settings.items():
        connection.execute(f"SET {name} = {_literal(value)}")


class ParsedQuery(NamedTuple):
    """One SELECT as it shall be run, its syntax tree, and the names of tables and table functions in it."""

    sql: str
    tree: dict[str, Any]
    names: frozenset[str]


def parsed(connection: Any, sql: str) -> ParsedQuery:
    """The one SELECT (or EXPLAIN of one) of `sql`; RefusedError for any other statement."""
    statements = connection.extract_statements(sql)
    if not statements:
        raise RefusedError("there is no statement in it.")
    if len(statements) > 1:
        raise RefusedError(f"there are {len(statements)} statements in it; send one.")
    kind = statements[0].type.name
    prefix = ""
    if kind == "EXPLAIN":
        match = _EXPLAIN.match(sql)
        if match is None:
            raise RefusedError("EXPLAIN must be the first word, followed by a SELECT.")
        prefix, sql = match.group(), sql[match.end() :]
        inner = connection.extract_statements(sql)
        kind = inner[0].type.name if len(inner) == 1 else "several"
    if kind != "SELECT":
        raise RefusedError(f"{kind} is not allowed: free SQL reads the catalogue, with one SELECT (or EXPLAIN).")
    tree = _syntax_tree(connection, sql)
    tables = {str(node.get("table_name", "")) for node in _walk(tree) if node.get("type") == "BASE_TABLE"}
    return ParsedQuery(prefix + sql, tree, frozenset(tables | _table_functions(tree)))


def check_query(connection: Any, query: ParsedQuery) -> None:
    """RefusedError for a query that does more than read the catalogue; the catalogue's own macros are there by now."""
    check_tree(query.tree, TABLE_FUNCTIONS | _own_macros(connection, query.tree), _own_views(connection))


def _syntax_tree(connection: Any, sql: str) -> dict[str, Any]:
    """DuckDB's own parse of `sql` as JSON."""
    ((text,),) = connection.execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchall()
    tree: dict[str, Any] = json.loads(text)
    if tree.get("error") or len(tree.get("statements", ())) != 1:
        raise RefusedError(f"it cannot be checked: {tree.get('error_message', 'not one SELECT')}")
    return tree


def _own_views(connection: Any) -> frozenset[str]:
    """DuckDB's own views and tables that are closed, as they may be written: with a schema, or without where found."""
    rows = connection.execute(
        "SELECT schema_name, view_name FROM duckdb_views() WHERE internal "
        "UNION ALL SELECT schema_name, table_name FROM duckdb_tables() WHERE internal"
    ).fetchall()
    closed = {(str(schema).lower(), str(name).lower()) for schema, name in rows if str(name).lower() not in VIEWS}
    searched = {name for schema, name in closed if schema in ("main", "pg_catalog")}
    return frozenset(searched | {f"{schema}.{name}" for schema, name in closed})


def _own_macros(connection: Any, tree: object) -> frozenset[str]:
    """The table macros of the setup; asked for only where the query calls a table function that is not known."""
    if _table_functions(tree) <= TABLE_FUNCTIONS:
        return frozenset()
    rows = connection.execute(
        "SELECT function_name FROM duckdb_functions() WHERE function_type = 'table_macro' AND NOT internal"
    ).fetchall()
    return frozenset(str(name).lower() for (name,) in rows)


def _table_functions(tree: object) -> set[str]:
    return {_function_of(node) for node in _walk(tree) if node.get("type") == "TABLE_FUNCTION"}


def _function_of(node: dict[str, Any]) -> str:
    return str(node.get("function", {}).get("function_name", "")).lower()


def check_tree(tree: object, allowed: frozenset[str] = TABLE_FUNCTIONS, closed: frozenset[str] = frozenset()) -> None:
    """Refuse whatever in the syntax tree does more than read tables not `closed` and call `allowed` functions."""
    for node in _walk(tree):
        kind = node.get("type")
        if "info_type" in node or (isinstance(kind, str) and kind.endswith("_NODE") and kind not in NODES):
            raise RefusedError(f"{str(node.get('info_type', kind)).split('_')[0]} inside a SELECT is not allowed.")
        if kind == "TABLE_FUNCTION" and (name := _function_of(node)) not in allowed:
            raise RefusedError(f"the table function {name}() is not allowed: read the catalogue's tables by name.")
        if kind == "BASE_TABLE" and (name := _view_of(node)) in closed:
            raise RefusedError(f"the view {name} is not allowed: read the catalogue's tables by name.")
        if kind == "SHOW_REF" and node.get("show_type") == "SHOW_SPECIAL" and node.get("table_name") not in SHOWS:
            raise RefusedError("SHOW lists tables, and nothing else.")
        if str(node.get("function_name", "")).lower() in REFUSED_FUNCTIONS:
            raise RefusedError(f"the function {node['function_name']}() is not allowed.")


def _view_of(node: dict[str, Any]) -> str:
    """`pg_settings`, `pg_catalog.pg_settings`: a table's name with its schema where it has one."""
    names = [str(node.get("schema_name", "")), str(node.get("table_name", ""))]
    return ".".join(name.lower() for name in names if name)


def _walk(tree: object) -> Iterator[dict[str, Any]]:
    """Every object in the tree, without recursion: a deep expression must not overflow the stack."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _send(reader: Any, out: BinaryIO, pa: Any, request: dict[str, Any]) -> tuple[int, bool]:
    """Send batches until the result, the row limit or the byte cap ends; (rows sent, whether rows were left)."""
    limit = request["row_limit"]
    sink = _FrameWriter(out, request["result_bytes"])
    rows = 0
    truncated = False
    with pa.ipc.new_stream(sink, reader.schema) as writer:
        for batch in reader:
            if limit is not None and rows + batch.num_rows > limit:
                batch, truncated = batch.slice(0, limit - rows), True  # noqa: PLW2901 - the last one, cut
            writer.write_batch(batch)
            rows += batch.num_rows
            if truncated:
                break
    return rows, truncated


class _FrameWriter(io.RawIOBase):
    """A file that sends what is written to it as `A` frames, up to a cap."""

    def __init__(self, out: BinaryIO, cap: int) -> None:
        self._out = out
        self._left = cap
        self._cap = cap

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._left -= len(view)
        if self._left < 0:
            raise TooLargeError(f"the result is larger than {self._cap / 2**20:.0f} MiB; select fewer rows or columns.")
        _frame(self._out, b"A", view)
        return len(view)


def _frame(out: BinaryIO, kind: bytes, payload: bytes | memoryview) -> None:
    out.write(kind + len(payload).to_bytes(8, "little"))
    out.write(payload)


def _names(connection: Any) -> list[str]:
    """Every table and column there is: for the near misses of an error."""
    rows = (
        connection.cursor()
        .execute(
            "SELECT DISTINCT table_name FROM duckdb_columns() WHERE NOT internal "
            "UNION SELECT DISTINCT column_name FROM duckdb_columns() WHERE NOT internal"
        )
        .fetchall()
    )
    return [str(name) for (name,) in rows]


def _literal(value: object) -> str:
    """A setting's value as SQL: `SET` takes no bound parameters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    return "'" + str(value).replace("'", "''") + "'"


def _private_stdout() -> BinaryIO:
    """The pipe to the parent under another number, so that nothing DuckDB prints can get in between the frames."""
    pipe = os.dup(1)
    void = os.open(os.devnull, os.O_WRONLY)
    os.dup2(void, 1)
    return os.fdopen(pipe, "wb", buffering=1 << 20)


# Limits by the operating system, one function a system.


def limit_process(request: dict[str, Any]) -> None:
    """Limit this process before it meets the query; raises where the system's limit cannot be had."""
    if sys.platform == "win32":
        _limit_by_job_object(request["memory_bytes"])
    else:
        _limit_by_rlimits(request)


def _limit_by_rlimits(request: dict[str, Any]) -> None:
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - there is none on Windows

    def lower(kind: int, value: int) -> None:
        _, hard = resource.getrlimit(kind)  # may be lower already, and cannot be raised
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (allowed, allowed))

    lower(resource.RLIMIT_CPU, int(request["seconds"] * request["threads"]) + 2)
    lower(resource.RLIMIT_CORE, 0)
    lower(resource.RLIMIT_FSIZE, 0)  # no regular file may grow; pipes may
    if sys.platform == "linux":
        # Address space already taken (libraries, thread stacks) is not the query's doing, so it comes on top.
        with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - pathlib is not loaded for this
            taken = int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        lower(resource.RLIMIT_AS, taken + request["memory_bytes"])
    else:
        ceiling = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT + request["memory_bytes"]
        threading.Thread(target=_watch_resident_size, args=(ceiling,), daemon=True).start()


_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""`ru_maxrss` counts bytes on macOS, KiB elsewhere."""


def _watch_resident_size(ceiling: int) -> None:
    """End the process once it was larger than `ceiling` bytes; DuckDB frees the interpreter's lock while it works."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - there is none on Windows

    while resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT < ceiling:
        time.sleep(0.01)
    os._exit(MEMORY_EXIT)


def _limit_by_job_object(memory_bytes: int) -> None:
    """Windows: put this process into a job whose processes may commit so much memory and have no children."""
    if sys.platform != "win32":
        return
    import ctypes  # noqa: PLC0415 - only Windows needs it
    from ctypes import wintypes  # noqa: PLC0415 - as above

    class Basic(ctypes.Structure):
        _fields_ = (
            ("per_process_user_time", ctypes.c_int64),
            ("per_job_user_time", ctypes.c_int64),
            ("limit_flags", wintypes.DWORD),
            ("minimum_working_set", ctypes.c_size_t),
            ("maximum_working_set", ctypes.c_size_t),
            ("active_process_limit", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("priority_class", wintypes.DWORD),
            ("scheduling_class", wintypes.DWORD),
        )

    class Extended(ctypes.Structure):
        _fields_ = (
            ("basic", Basic),
            ("io_counters", ctypes.c_uint64 * 6),
            ("process_memory_limit", ctypes.c_size_t),
            ("job_memory_limit", ctypes.c_size_t),
            ("peak_process_memory", ctypes.c_size_t),
            ("peak_job_memory", ctypes.c_size_t),
        )

    active_process, process_memory, extended_limits = 0x8, 0x100, 9  # winnt.h: JOB_OBJECT_LIMIT_*, class of information
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateJobObjectW.restype = wintypes.HANDLE
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    job = wintypes.HANDLE(kernel.CreateJobObjectW(None, None))
    limits = Extended()
    limits.basic.limit_flags = active_process | process_memory
    limits.basic.active_process_limit = 1
    limits.process_memory_limit = memory_bytes + 512 * 1024 * 1024  # what libraries have committed already
    done = kernel.SetInformationJobObject(job, extended_limits, ctypes.byref(limits), ctypes.sizeof(limits))
    if not done or not kernel.AssignProcessToJobObject(job, wintypes.HANDLE(kernel.GetCurrentProcess())):
        raise ctypes.WinError(ctypes.get_last_error())


if __name__ == "__main__":
    main()
