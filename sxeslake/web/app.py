"""The application: addresses to handlers, their answers to responses.

    app = create_app([lake])
    uvicorn.run(app)

Every page of a lake lies beside the others, `<lake>/archive?of=ti-map@2`, so that all links are relative; the suffix
`.json` or the header `Accept: application/json` gives its twin for programs.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sxeslake.errors import MissingExtraError, StorageError
from sxeslake.lake import Lake
from sxeslake.model import MIB
from sxeslake.runs.recording import public
from sxeslake.version import __version__
from sxeslake.web.answers import Answer, Endpoint, RangedDownload, RawAnswer, TableAnswer, WebPage
from sxeslake.web.failures import FailureText, failure_of, not_there
from sxeslake.web.guard import LOG, Guard
from sxeslake.web.help import HelpPages, help_folder, not_built
from sxeslake.web.lakes import ServedLake, Site
from sxeslake.web.metrics import PATH, ServerMetrics, server_metrics
from sxeslake.web.options import ServeOptions
from sxeslake.web.pages import ENDPOINTS
from sxeslake.web.ranges import ClosingResponse, file_name_header, ranged
from sxeslake.web.render import as_json, rendered
from sxeslake.web.visit import Visit
from sxeslake.web.work import GoneError, Job, Workers

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_IN_MEMORY: Final = 4 * MIB  # of a table on its way; the rest waits on disk
_BLOCK: Final = 256 * 1024
_GONE: Final = 499  # nobody reads it
_NO_STORE: Final = {"Cache-Control": "no-store"}
_TABLE_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
_TABLE_SUFFIXES: Final = {"arrow": "arrows"}


def create_app(lakes: Mapping[str, Lake] | Sequence[Lake], options: ServeOptions | None = None) -> ASGIApp:
    """An ASGI application that shows lakes, and changes nothing in them.

    Parameters
    ----------
    lakes
        Open lakes, by the names that people read, or without names; they stay the caller's to close.
    options
        Prefix, hosts, trusted proxy, limits.

    Returns
    -------
    ASGIApp
        To be run by uvicorn or another server.

    Examples
    --------
    >>> from sxeslake.web.app import create_app
    >>> app = create_app([lake])
    """
    chosen = options or ServeOptions()
    site = Site(lakes, chosen.spectra_bytes)
    metrics = server_metrics({public(each.lake.url): each.title for each in site.values()})
    observe = metrics.observe if isinstance(metrics, ServerMetrics) else None
    return Guard(_Answering(site, chosen, metrics).starlette(), chosen, observe)


class _Answering:
    """From requests to responses, over one site."""

    def __init__(self, site: Site, options: ServeOptions, metrics: ServerMetrics | MissingExtraError) -> None:
        self._site, self._options, self._metrics = site, options, metrics
        folder = help_folder()
        self._help = HelpPages(folder) if folder is not None else None
        self._workers = Workers(options.threads, options.heavy_threads, options.waiting)

    def starlette(self) -> Starlette:
        """The application without its guard."""
        static = StaticFiles(directory=Path(__file__).parent / "static")
        return Starlette(
            routes=[
                Route("/", self.first, methods=["GET"]),
                Mount("/static", static),
                Route(PATH, self.metrics, methods=["GET"]),
                Route("/help", self.to_help, methods=["GET"]),
                Route("/help/{path:path}", self.help, methods=["GET"]),
                Route("/{lake}/", self.enter, methods=["GET"]),
                Route("/{lake}/{page}", self.page, methods=["GET"]),
            ],
            exception_handlers={HTTPException: self.no_route},
        )

    async def first(self, request: Request) -> Response:
        """The lakes of this server; where there is one, its page Find."""
        if len(self._site) == 1:
            return Response(status_code=307, headers={"Location": f"{next(iter(self._site))}/find"})
        lakes = [{"slug": each.slug, "title": each.title} for each in self._site.values()]
        if _wants_json(request):
            return Response(as_json({"lakes": lakes}), media_type="application/json")
        values = {"title": "Lakes", "lakes": lakes, "base": "", "served": None, "user": request.state.user}
        return _html(rendered("lakes.html", values))

    async def metrics(self, request: Request) -> Response:
        """The figures of this server; none of the threads that pages work in is needed."""
        if isinstance(self._metrics, MissingExtraError):
            return Response(f"{self._metrics}\n", 501, _NO_STORE, media_type="text/plain")
        body, media_type = await to_thread.run_sync(self._metrics.text, request.headers.get("accept", ""))
        return Response(body, headers={**_NO_STORE, "Content-Type": media_type})

    async def to_help(self, _: Request) -> Response:
        """The first page of the documentation."""
        return Response(status_code=307, headers={"Location": "help/"})

    async def help(self, request: Request) -> Response:
        """A page of the documentation, or a file of it."""
        if self._help is None:
            return self._failure(request, not_built())
        return await self._help.get(request, request.path_params["path"])

    async def enter(self, _: Request) -> Response:
        """A lake's first page."""
        return Response(status_code=307, headers={"Location": "find"})

    async def page(self, request: Request) -> Response:
        """Any page of a lake, or its JSON twin."""
        name = request.path_params["page"]
        as_document = name.endswith(".json") and name.removesuffix(".json") in ENDPOINTS
        endpoint = ENDPOINTS.get(name.removesuffix(".json") if as_document else name)
        if endpoint is None or request.path_params["lake"] not in self._site:
            return self._failure(request, not_there())
        served = self._site[request.path_params["lake"]]
        try:
            return await self._answered(request, served, endpoint, as_document=as_document or _wants_json(request))
        except GoneError:
            return Response(status_code=_GONE)
        except Exception as error:  # the last line of defence: a page says so, the log has the rest
            failure = failure_of(error, _places(served))
            if failure.status == 500:
                LOG.error("%s", failure.title, exc_info=error)
            return self._failure(request, failure, served)

    async def no_route(self, request: Request, _: Exception) -> Response:
        """What no route has."""
        return self._failure(request, not_there())

    async def _answered(
        self, request: Request, served: ServedLake, endpoint: Endpoint, *, as_document: bool
    ) -> Response:
        commit = await self._workers.step(served.head)
        commits = await self._workers.step(self._others(served)) if endpoint.across else ()
        etag = _etag(request, served, (commit, *commits), as_document=as_document)
        if etag in [each.strip() for each in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers={"ETag": etag, "Cache-Control": "no-cache"})

        def work(job: Job) -> Response:
            words = request.query_params.multi_items()
            visit = Visit(self._site, self._options, served, commit, words, job, request.state.user)
            answer = endpoint.handler(visit)
            return self._response(request, visit, answer, etag, as_document=as_document)

        return await self._workers.do(request, work, heavy=endpoint.heavy)

    def _others(self, served: ServedLake) -> Callable[[], tuple[int, ...]]:
        """What tells the newest commits of the other lakes; 0 for one that cannot be reached now."""

        def heads() -> tuple[int, ...]:
            return tuple(_head_or_none(each) for each in self._site.values() if each is not served)

        return heads

    def _response(self, request: Request, visit: Visit, answer: Answer, etag: str, *, as_document: bool) -> Response:
        if isinstance(answer, RangedDownload):
            return ranged(request, answer, self._workers)
        if isinstance(answer, TableAnswer):
            return _table(answer, self._workers)
        headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept"} if answer.is_whole else _NO_STORE
        if isinstance(answer, RawAnswer):
            if answer.is_fixed and answer.is_whole:
                headers = headers | {"Cache-Control": "private, max-age=31536000, immutable"}
            return Response(answer.data, headers={**headers, **answer.headers}, media_type=answer.media_type)
        if as_document:
            document = {"lake": visit.served.title, "commit": visit.commit, "title": answer.title, **answer.data}
            return Response(as_json(document), headers=headers, media_type="application/json")
        return _html(rendered(answer.template, _values(visit, answer, request)), headers)

    def _failure(self, request: Request, failure: FailureText, served: ServedLake | None = None) -> Response:
        headers = {**_NO_STORE}
        if failure.retry_after_s is not None:
            headers["Retry-After"] = str(failure.retry_after_s)
        if _wants_json(request) or request.url.path.endswith(".json"):
            body = {"error": {"status": failure.status, "title": failure.title, "message": failure.what,
                              "hint": failure.hint}}  # fmt: skip
            return Response(as_json(body), failure.status, headers, media_type="application/json")
        base = "../" * max(0, request.url.path.count("/") - 1)
        values = {"title": failure.title, "failure": failure, "base": base, "served": served, "commit": None,
                  "user": request.state.user}  # fmt: skip
        return _html(rendered("failure.html", values), headers, failure.status)


def _head_or_none(served: ServedLake) -> int:
    try:
        return served.head()
    except StorageError:
        return 0


def _values(visit: Visit, answer: WebPage, request: Request) -> dict[str, object]:
    """All that a template can name."""
    here = request.url.path.rpartition("/")[2]
    query = f"?{request.url.query}" if request.url.query else ""
    return {
        **answer.data, **answer.view, "title": answer.title, "shell": answer.shell, "python": answer.python,
        "permalink": answer.permalink, "json_twin": f"{here}.json{query}", "base": "../", "served": visit.served,
        "several": len(visit.site) > 1, "commit": visit.commit, "user": visit.user,
    }  # fmt: skip


def _table(answer: TableAnswer, workers: Workers) -> Response:
    """All rows of a table as a file: written at once, so that an error is still an error, then sent in parts."""
    file = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115 - closed when sent
    try:
        answer.result.write(file, answer.format)
        length = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    name = f"{answer.name}.{_TABLE_SUFFIXES.get(answer.format, answer.format)}"
    headers = {
        "Content-Length": str(length), "Cache-Control": "no-cache",
        "Content-Disposition": file_name_header("attachment", name),
    }  # fmt: skip

    async def blocks() -> AsyncIterator[bytes]:
        while block := await workers.step(partial(file.read, _BLOCK)):
            yield block

    media_type = _TABLE_TYPES[answer.format]
    return ClosingResponse(blocks(), file.close, headers=headers, media_type=media_type)


def _html(body: bytes, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    return Response(body, status, headers, media_type="text/html; charset=utf-8")


def _wants_json(request: Request) -> bool:
    """Whether JSON is asked for before HTML."""
    kinds = [each.partition(";")[0].strip() for each in request.headers.get("accept", "").split(",")]
    return "application/json" in kinds and "text/html" not in kinds


def _etag(request: Request, served: ServedLake, commits: tuple[int, ...], *, as_document: bool) -> str:
    """Of an address at commits, as this version of the program shows it to this user today: ages count days."""
    parts = (
        __version__, served.lake._vault.file.lake_id, commits, request.url.path, request.url.query, as_document,
        request.headers.get("hx-request", ""), request.state.user, dt.datetime.now(dt.UTC).date(), dt.date.today(),
    )  # fmt: skip
    return f'W/"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def _places(served: ServedLake) -> list[str]:
    """Addresses of a lake that no error page tells."""
    url = served.lake.url
    return [url, url.removeprefix("file://")]
