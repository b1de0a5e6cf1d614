"""What no source file of this project may do, as a search of its syntax tree.

In: Python source. Out: a line for each breach: pickles, evaluated text, shells, loading without limits, plain http, and
text whose encoding is left to the machine's locale; calls that
write files past the one writer.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

MODULES = {"pickle", "_pickle", "cloudpickle", "dill", "marshal", "shelve", "jsonpickle"}
BINARY_OPENERS = {"os", "tarfile", "Image", "webbrowser"}  # have an `open` that reads and writes no text
NETWORK = {"requests", "pooch", "urllib3", "http.client", "ftplib", "telnetlib", "aiohttp", "httpx"}
BARE_CALLS = {"eval", "exec", "compile", "__import__"}
ATTRIBUTES = {  # of any object
    "system", "popen", "getoutput", "getstatusoutput",  # shells
    "read_pickle", "to_pickle", "unsafe_load", "full_load", "UnsafeLoader", "FullLoader",
    "urlopen", "urlretrieve", "_create_unverified_context", "extractall",
}  # fmt: skip
KEYWORDS = {("shell", True), ("verify", False), ("allow_pickle", True), ("trust_remote_code", True),
            ("weights_only", False)}  # fmt: skip


def breaches(source: str) -> list[str]:
    """`line: what` for every breach."""
    return [f"{getattr(node, 'lineno', 0)}: {what}" for node in ast.walk(ast.parse(source)) for what in _of(node)]


def network_modules(source: str) -> set[str]:
    """Modules that reach the network, of those that are imported."""
    return {name for node in ast.walk(ast.parse(source)) for name in _imported(node)} & NETWORK


def writes(source: str) -> list[str]:
    """`line: what` for every call that writes a file by itself."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [f"{node.lineno}: {ast.unparse(node.func)}" for node in calls if _writes(node)]


def _writes(node: ast.Call) -> bool:
    name = ast.unparse(node.func).rpartition(".")[2]
    keywords = {keyword.arg for keyword in node.keywords}
    if name == "savefig":
        return "format" not in keywords  # which is needed where a picture goes to memory
    if name == "open":
        modes = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        return any(re.fullmatch("[abrtx+]*[wax][abrtx+]*", mode) for mode in modes)
    return name in ("write_text", "write_bytes") or (name == "to_csv" and bool(node.args))


def _of(node: ast.AST) -> Iterator[str]:
    for name in _imported(node):
        if name.split(".")[0] in MODULES:
            yield f"imports {name}"
    if isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
        yield f"uses {node.attr}"
    if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
        yield from (f"says {name}={value}" for name, value in KEYWORDS if (node.arg, node.value.value) == (name, value))
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"http://(?!127\.|www\.w3\.org)\w",
                                                                                    node.value):  # fmt: skip
        yield f"names {node.value[:80]}"
    if isinstance(node, ast.Call):
        yield from _of_call(node)


def _of_call(node: ast.Call) -> Iterator[str]:
    called = ast.unparse(node.func)
    arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if called in BARE_CALLS:
        yield f"calls {called}"
    if _is_of_text(node) and "encoding" not in arguments:
        yield f"{called} without an encoding"
    if called == "torch.load" and arguments.get("weights_only") != "True":
        yield "torch.load without weights_only=True"
    if called.endswith(".fit") and "ckpt_path" in arguments and arguments.get("weights_only") != "True":
        yield "a checkpoint resumed without weights_only=True"
    if called == "yaml.load" and arguments.get("Loader") != "_Loader":
        yield "yaml.load with a loader of its own"


def _is_of_text(node: ast.Call) -> bool:
    """Whether a call reads, writes or pipes text: ruff's PLW1514 sees this of a literal `Path(...)` alone."""
    owner, _, name = ast.unparse(node.func).rpartition(".")
    modes = [argument.value for argument in [*node.args, *(keyword.value for keyword in node.keywords)]
             if isinstance(argument, ast.Constant) and isinstance(argument.value, str)]  # fmt: skip
    if any(keyword.arg in ("text", "universal_newlines") for keyword in node.keywords):
        return True
    if name in ("open", "fdopen", "NamedTemporaryFile", "TemporaryFile"):
        return owner not in BINARY_OPENERS and not any(re.fullmatch("[rwxa+]*b[rwxa+]*", mode) for mode in modes)
    return name in ("read_text", "write_text")


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []
