"""Review runs in a page: Figure 1, the moments of every layer, which run did what; follows running jobs.

python scripts/review.py runs
python scripts/review.py runs --export review.html --tag figure1-preview
python scripts/review.py docs/results/figure1          (a published study, without a training)
"""

import argparse
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from selfnorm.commandline import Parser, folder, refuse, run, runs_folder, word


def main() -> int:
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("root", type=folder, nargs="?", default=runs_folder(), help="root of the runs (default: SELFNORM_RUNS or runs)")
    add("--export", type=Path, metavar="FILE", help="write one HTML file that needs no server, and end")
    add("--tag", type=word, action="append", default=[], help="with --export: only this tag (may be repeated)")
    add("--host", type=word, default="127.0.0.1", help="address to listen on (default: this machine alone)")
    add("--port", type=int, default=8642, help="port (default 8642; 0: any free one)")
    add("--open", action="store_true", help="open the page in a browser")
    options = parser.parse_args()
    try:
        if not options.root.is_dir():
            raise ValueError(f"{options.root} is not a folder: give the root of the runs, or train first")
        if options.tag and not options.export:
            raise ValueError("--tag goes with --export; the served page has a filter")
        with _runs(options.root) as root:
            if options.export:
                _export(root, tuple(options.tag), options.export)
            else:
                _serve(options, root)
    except (ValueError, OSError) as error:
        return refuse(parser.prog, error)
    return 0


@contextmanager
def _runs(root: Path) -> Iterator[Path]:
    """The root itself, or for a published study a temporary folder that holds its runs."""
    if not (root / "cells.csv").is_file():
        yield root
        return
    from selfnorm.review.published import unpack

    with TemporaryDirectory(prefix="selfnorm-") as folder:
        runs = Path(folder, root.resolve().name)  # the page names its root
        unpack(root, runs)
        yield runs


def _export(root: Path, tags: tuple[str, ...], path: Path) -> None:
    from selfnorm.review.catalogue import Catalogue
    from selfnorm.review.export import export_html
    from selfnorm.runs.files import write_atomically

    write_atomically(path, export_html(Catalogue(root), tags))
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")


def _serve(options: argparse.Namespace, root: Path) -> None:
    import uvicorn

    from selfnorm.review.server import listen, make_app

    with suppress(KeyboardInterrupt), listen(options.host, options.port) as bound:
        host = f"[{options.host}]" if ":" in options.host else options.host
        url = f"http://{host}:{bound.getsockname()[1]}/"
        print(f"{url} (Ctrl-C ends)", flush=True)
        if options.open:
            webbrowser.open(url)
        config = uvicorn.Config(make_app(root), log_level="warning", server_header=False)
        uvicorn.Server(config).run(sockets=[bound])


if __name__ == "__main__":
    run(main)
