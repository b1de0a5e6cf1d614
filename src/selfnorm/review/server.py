"""Serve the page on this machine: its own files, the documents, and the whitelisted files of run folders.

In: a root of runs. Out: a starlette application. Nothing is written but rows (see kept), nothing outside run folders
is read, and only this machine's own page may ask: another site's is kept out by the Host header and by the answers'.
"""

import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selfnorm.review.catalogue import Catalogue
from selfnorm.review.documents import Documents, to_json
from selfnorm.review.folders import FILES, read_no_link
from selfnorm.review.page import page_file, page_html

# plotly writes style elements; data and blob images are its "download as PNG"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def make_app(root: Path) -> Starlette:
    """The application; the root is scanned at the first request."""
    documents = Documents(Catalogue(root))

    def page(request: Request) -> Response:
        return Response(page_html(), media_type="text/html")

    def asset(request: Request) -> Response:
        found = page_file(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return Response(found.content, media_type=found.media_type)

    def overview(request: Request) -> Response:
        try:
            made = documents.overview()
        except ValueError as error:
            return JSONResponse({"problem": str(error)}, 503)
        if request.query_params.get("known") == made["version"]:
            return Response(status_code=204)
        return Response(to_json(made | {"live": True}), media_type="application/json")

    def run(request: Request) -> Response:
        return _json(documents.run, request.query_params.get("id", ""))

    def group(request: Request) -> Response:
        return _json(documents.group, request.query_params.get("tag", ""))

    def file(request: Request) -> Response:
        query = request.query_params
        return PlainTextResponse(read_run_file(documents.catalogue, query.get("run", ""), query.get("name", "")))

    routes = [
        Route("/", page),
        Route("/data/overview.json", overview),
        Route("/data/run.json", run),
        Route("/data/group.json", group),
        Route("/file", file),
        Route("/page/{name}", asset),
    ]
    # The guard goes outermost, so that its headers are on every answer
    return Starlette(routes=routes, middleware=[Middleware(Guard), Middleware(GZipMiddleware, compresslevel=1)])


def _json(make: Callable[[str], bytes], name: str) -> Response:
    try:
        return Response(make(name), media_type="application/json")
    except KeyError:
        raise HTTPException(404) from None


def read_run_file(catalogue: Catalogue, run: str, name: str) -> bytes:
    """A file of a run folder that the catalogue lists, by a whitelisted name; 404 for anything else."""
    if run not in catalogue.folders:
        catalogue.overview()
    folder = catalogue.folders.get(run)
    if folder is None or name not in FILES:
        raise HTTPException(404)
    root, path = catalogue.root.resolve(), folder.path / name
    try:
        # The scan follows no link; one put there since is refused here
        if path.parent.resolve() != root / Path(folder.name):
            raise HTTPException(404)
        return read_no_link(path)
    except OSError:
        raise HTTPException(404) from None


class Guard:
    """Refuses a Host header that could be another site's name pointed at this machine; adds the headers of safety."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(key.encode(), value.encode()) for key, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *own]
            await send(message)

        host = next((value.decode("latin-1") for key, value in scope["headers"] if key == b"host"), "")
        if is_own_name(host):
            await self.app(scope, receive, with_headers)
        else:
            refusal = PlainTextResponse("this page answers to localhost, an address, or this machine's name only", 421)
            await refusal(scope, receive, with_headers)


def is_own_name(host: str) -> bool:
    """Whether a Host header names this machine: DNS rebinding needs a name of its own, an address cannot be rebound."""
    name = host.rsplit("]", 1)[0].lstrip("[") if host.startswith("[") else host.rsplit(":", 1)[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.lower() in {"localhost", socket.gethostname().lower()}
    return True


def listen(host: str, port: int) -> socket.socket:
    """A socket listening on host and port (0: any free one). Raises ValueError saying what to do when it cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(128)  # a browser opened at once waits for the server instead of being refused
    except (OSError, OverflowError) as error:
        bound.close()
        reason = f"cannot listen on {host} port {port} ({error}): choose another with --port, 0 for any"
        raise ValueError(reason) from None
    return bound
