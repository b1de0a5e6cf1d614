"""A W&B server on the loopback for tests: runs, resume, sync, files, workspaces and reports.

WANDB_BASE_URL is its `url`, WANDB_API_KEY its `api_key`. `mode` may change at any time: ok, a status such as 500, hang,
or fs500 (only the stream of rows fails). `runs[id].history` is a list of the rows as they arrived.
"""

from __future__ import annotations

import gzip
import http.server
import json
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

OPERATION = re.compile(r"\b(?:query|mutation)\s+(\w+)")
HISTORY, SUMMARY, EVENTS = "wandb-history.jsonl", "wandb-summary.json", "wandb-events.jsonl"
Json = dict[str, Any]

KEY = "5ec2e7" * 6 + "beef"  # forty characters that occur nowhere by chance


@dataclass
class FakeRun:
    """The server's knowledge of one run."""

    name: str
    project: str = ""
    entity: str = ""
    display: str = ""
    sweep: str | None = None
    config: Json = field(default_factory=dict)
    streams: dict[str, dict[int, str]] = field(default_factory=dict)  # file -> offset -> line
    uploads: dict[str, bytes] = field(default_factory=dict)
    exit_code: int | None = None

    def lines(self, file: str) -> list[str]:
        return [line for _, line in sorted(self.streams.get(file, {}).items())]

    @property
    def history(self) -> list[Json]:
        return [json.loads(line) for line in self.lines(HISTORY)]

    @property
    def summary(self) -> Json:
        lines = self.lines(SUMMARY)
        return json.loads(lines[-1]) if lines else {}


class FakeWandb:
    api_key = "0" * 40

    def __init__(self, entity: str = "e") -> None:
        self.mode, self.entity = "ok", entity
        self.runs: dict[str, FakeRun] = {}
        self.views: dict[str, Json] = {}
        self.operations: list[str] = []
        self.unknown: set[str] = set()
        self.lock = threading.RLock()
        self.gone = threading.Event()
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeWandb:
        serve = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serve.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.die()

    def die(self) -> None:
        """Close the port and drop the open connections."""
        if not self.gone.is_set():
            self.gone.set()
            self._server.shutdown()
            self._server.server_close()

    def run(self, name: str, project: str = "", entity: str = "") -> FakeRun:
        run = self.runs.setdefault(name, FakeRun(name))
        run.project, run.entity = project or run.project, entity or run.entity
        return run

    def stream(self, path: str, body: Json) -> Json:
        """Lines at their offsets: sent again, they are the same lines."""
        _, _, entity, project, name, _ = path.split("/")
        run = self.run(name, project, entity)
        for file, part in (body.get("files") or {}).items():
            lines = run.streams.setdefault(file, {})
            lines.update({part["offset"] + i: line for i, line in enumerate(part["content"])})
        if body.get("complete"):
            run.exit_code = body.get("exitcode")
        return {"exitcode": None, "limits": {}}

    def answer(self, operation: str, given: Json, query: str) -> Json:
        """The `data` of one GraphQL operation; those it does not know are empty, and remembered."""
        if "upsertView" in query:
            return self._upsert_view(given)
        if "allViews" in query:
            return self._find_views(given)
        if reply := getattr(self, f"_{operation}", None):
            found: Json = reply(given)
            return found
        self.unknown.add(operation)
        return {}

    def _project(self, name: str, entity: str) -> Json:
        return {"id": "P", "internalId": "P", "name": name, "entity": {"id": "E", "name": entity}}

    def _Viewer(self, given: Json) -> Json:
        return {
            "viewer": {
                "id": "V",
                "entity": self.entity,
                "username": "u",
                "email": "u@x",
                "flags": "{}",
                "teams": {"edges": []},
            }
        }

    _GetViewer = _GetDefaultEntity = _Viewer

    def _ServerFeaturesQuery(self, given: Json) -> Json:
        return {"serverInfo": {"features": []}}

    def _OrganizationCoreWeaveOrganizationID(self, given: Json) -> Json:
        return {}

    def _GetProjects(self, given: Json) -> Json:
        names = {run.project for run in self.runs.values()} | {view["project"] for view in self.views.values()}
        more = {"entityName": self.entity, "createdAt": "2026-01-01T00:00:00", "isBenchmark": False, "user": None}
        edges = [{"node": self._project(name, self.entity) | more} for name in sorted(names)]
        return {"models": {"edges": edges, "pageInfo": {"endCursor": None, "hasNextPage": False}}}

    def _CreateProject(self, given: Json) -> Json:
        return {"result": {"project": None, "model": None, "inserted": True}}

    def _UpsertBucket(self, given: Json) -> Json:
        project, entity = given.get("project") or "uncategorized", given.get("entity") or self.entity
        run = self.run(given.get("name") or given["id"], project, entity)
        new = not run.display
        run.display = given.get("displayName") or run.display or f"fake-{run.name}"
        run.sweep = given.get("sweep") or run.sweep
        if given.get("config"):
            run.config = json.loads(given["config"])
        bucket = {
            "id": f"R{run.name}",
            "name": run.name,
            "displayName": run.display,
            "description": None,
            "config": json.dumps(run.config),
            "sweepName": run.sweep,
            "historyLineCount": len(run.lines(HISTORY)),
            "project": self._project(run.project, run.entity),
        }
        return {"upsertBucket": {"bucket": bucket, "inserted": new}}

    def _RunResumeStatus(self, given: Json) -> Json:
        model = self._project(given["project"], given.get("entity") or self.entity)
        run = self.runs.get(given["name"])
        if run is None or not run.display:
            return {"model": model | {"bucket": None}}
        telemetry = run.config.get("_wandb", {}).get("value", {}).get("t", {"1": 1})
        bucket = {
            "id": f"R{run.name}",
            "name": run.name,
            "displayName": run.display,
            "summaryMetrics": json.dumps(run.summary),
            "logLineCount": len(run.lines("output.log")),
            "historyLineCount": len(run.lines(HISTORY)),
            "eventsLineCount": len(run.lines(EVENTS)),
            "historyTail": json.dumps(run.lines(HISTORY)[-1:]),
            "eventsTail": json.dumps(run.lines(EVENTS)[-1:]),
            "config": json.dumps(run.config),
            "tags": [],
            "notes": None,
            "wandbConfig": json.dumps({"t": telemetry}),
        }
        return {"model": model | {"bucket": bucket}}

    def _RunStoppedStatus(self, given: Json) -> Json:
        return {"project": {"run": {"stopped": False}}}

    def _CreateRunFiles(self, given: Json) -> Json:
        files = [{"name": name, "uploadUrl": f"{self.url}/storage/{given['run']}/{name}"} for name in given["files"]]
        return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}

    def _upsert_view(self, given: Json) -> Json:
        view_id = given.get("id") or f"View{len(self.views)}"
        new = view_id not in self.views
        own = {"id": view_id, "project": given["projectName"], "entity": given["entityName"]}
        self.views[view_id] = {**given, **own, "spec": json.loads(given["spec"])}
        project = {"id": "P", "name": given["projectName"], "entityName": given["entityName"]}
        shown = {key: given.get(key) for key in ("name", "type", "description", "displayName", "spec")}
        view = {**shown, "id": view_id, "createdAt": None, "updatedAt": None, "user": None, "project": project}
        return {"upsertView": {"view": view, "inserted": new}}

    def _find_views(self, given: Json) -> Json:
        kind, name = given.get("viewType") or "runs", given.get("viewName")
        found = [v for v in self.views.values() if v["type"] == kind and (name is None or v["name"] == name)]
        edges = [{"node": {**view, "spec": json.dumps(view["spec"])}, "cursor": view["id"]} for view in found]
        return {"project": {"allViews": {"edges": edges, "pageInfo": {"endCursor": None, "hasNextPage": False}}}}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeWandb

    def log_message(self, *_: Any) -> None:
        pass

    def handle(self) -> None:
        with suppress(OSError):  # the client, or this server, has gone
            super().handle()

    def do_GET(self) -> None:
        body, fake = self._body(), self.fake
        if fake.mode == "hang":
            fake.gone.wait()
        if fake.gone.is_set():
            self.close_connection = True
            return
        streams = "file_stream" in self.path
        status = fake.mode.removeprefix("fs") if streams else fake.mode
        if status.isdigit():
            return self._reply(int(status), {"errors": [{"message": f"fake {status}"}]})
        with fake.lock:
            if self.path == "/graphql":
                asked = json.loads(body)
                operation = found[1] if (found := OPERATION.search(asked["query"])) else "?"
                fake.operations.append(operation)
                data = fake.answer(operation, asked.get("variables") or {}, asked["query"])
                return self._reply(200, {"data": data})
            if streams:
                return self._reply(200, fake.stream(self.path, json.loads(body)))
            if self.command == "PUT" and self.path.startswith("/storage/"):
                _, _, run, name = self.path.split("/", 3)
                fake.run(run).uploads[name] = body
            self._reply(200, {})

    do_POST = do_PUT = do_GET

    def _body(self) -> bytes:
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            body = b""
            while size := int(self.rfile.readline().strip() or b"0", 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _reply(self, status: int, value: Json) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
