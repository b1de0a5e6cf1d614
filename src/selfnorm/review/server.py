"""Serve the page on this machine: its own files, the documents, and the whitelisted files of run folders.

In: a root of runs. Out: a starlette application. It writes nothing but rows (see catalogue), reads nothing outside
run folders, and answers this machine's own page alone: the Host header and the headers of its answers keep other sites
out.
"""

import ipaddress
import socket
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from selfnorm.review.catalogue import Catalogue, UnknownName, to_json
from selfnorm.review.page import MEDIA_TYPES, page_html, page_text
from selfnorm.runs.files import read_file
from selfnorm.runs.layout import SHOWN

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
    """Return the application, which scans the root at the first request."""
    catalogue = Catalogue(root)

    def page(request: Request) -> Response:
        return Response(page_html(), media_type="text/html")

    def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in MEDIA_TYPES:
            raise HTTPException(404)
        return Response(page_text(name), media_type=MEDIA_TYPES[name])

    def overview(request: Request) -> Response:
        try:
            found = catalogue.overview()
        except ValueError as error:
            return JSONResponse({"problem": str(error)}, 503)
        if request.query_params.get("known") == found["version"]:
            return Response(status_code=204)
        return Response(to_json(found | {"live": True}), media_type="application/json")

    def run(request: Request) -> Response:
        return Response(catalogue.run(request.query_params.get("id", "")), media_type="application/json")

    def group(request: Request) -> Response:
        return Response(catalogue.group(request.query_params.get("tag", "")), media_type="application/json")

    def file(request: Request) -> Response:
        query = request.query_params
        return PlainTextResponse(read_run_file(catalogue, query.get("run", ""), query.get("name", "")))

    routes = [
        Route("/", page),
        Route("/data/overview.json", overview),
        Route("/data/run.json", run),
        Route("/data/group.json", group),
        Route("/file", file),
        Route("/page/{name}", asset),
    ]
    # The guard goes outermost, so that its headers are on every answer
    middleware = [Middleware(BaseHTTPMiddleware, dispatch=guard), Middleware(GZipMiddleware, compresslevel=1)]
    return Starlette(routes=routes, middleware=middleware, exception_handlers={UnknownName: _not_found})


def _not_found(request: Request, error: Exception) -> Response:
    return PlainTextResponse("Not Found", 404)


def read_run_file(catalogue: Catalogue, run: str, name: str) -> bytes:
    """Return a file of a listed run folder by a whitelisted name. Anything else is a 404."""
    folder = catalogue.folder(run)
    path = folder.path / name
    try:
        # The scan follows no link; a link that was made after it is refused by this check and by read_file
        if name not in SHOWN or folder.path.resolve() != catalogue.root.resolve() / folder.name:
            raise HTTPException(404)
        return read_file(path)
    except OSError:
        raise HTTPException(404) from None


async def guard(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Refuse a Host header with another site's name, which may point at this machine; add the headers of safety."""
    if is_own_name(request.headers.get("host", "")):
        response = await call_next(request)
    else:
        response = PlainTextResponse("this page answers to localhost, an address, or this machine's name only", 421)
    response.headers.update(HEADERS)
    return response


def is_own_name(host: str) -> bool:
    """Tell whether a Host header names this machine. An address always does, for DNS rebinding needs a name."""
    name = host.rsplit("]", 1)[0].lstrip("[") if host.startswith("[") else host.rsplit(":", 1)[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.lower() in {"localhost", socket.gethostname().lower()}
    return True


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on host and port (0: any free one). Raises ValueError with the next step."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # A browser that is opened at once waits for the server instead of being refused
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise ValueError(
            f"cannot listen on {host} port {port} ({error}): choose another with --port, 0 for any"
        ) from None
