"""Review runs in a page: Figure 1, the moments of every layer, which run did what; follows running jobs.

python scripts/review.py runs
python scripts/review.py runs --export review.html --tag figure1-preview
"""

import argparse
import webbrowser
from contextlib import suppress
from pathlib import Path

from selfnorm.commandline import Parser, folder, refuse, run, word


def main() -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser(description=__doc__, formatter_class=raw, repeatable=("--tag",))
    parser.add_argument("root", type=folder, nargs="?", default=Path("runs"), help="root of the runs (default: runs)")
    parser.add_argument("--export", type=Path, metavar="FILE", help="write one HTML file that needs no server, and end")
    parser.add_argument(
        "--tag", type=word, action="append", default=[], help="with --export: only this tag (may be repeated)"
    )
    parser.add_argument(
        "--host", type=word, default="127.0.0.1", help="address to listen on (default: this machine alone)"
    )
    parser.add_argument("--port", type=int, default=8642, help="port (default 8642; 0: any free one)")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    options = parser.parse_args()
    try:
        if not options.root.is_dir():
            raise ValueError(f"{options.root} is not a folder: give the root of the runs, or train first")
        if options.tag and not options.export:
            raise ValueError("--tag goes with --export; the served page has a filter")
        return _export(options) if options.export else _serve(options)
    except (ValueError, OSError) as error:
        return refuse(parser.prog, error)


def _export(options: argparse.Namespace) -> int:
    from selfnorm.review.catalogue import Catalogue
    from selfnorm.review.export import export_html

    html = export_html(Catalogue(options.root), tuple(options.tag))
    options.export.write_text(html, "utf-8")
    print(f"wrote {options.export} ({options.export.stat().st_size / 1e6:.1f} MB)")
    return 0


def _serve(options: argparse.Namespace) -> int:
    import uvicorn

    from selfnorm.review.server import listen, make_app

    with suppress(KeyboardInterrupt), listen(options.host, options.port) as bound:
        host = f"[{options.host}]" if ":" in options.host else options.host
        url = f"http://{host}:{bound.getsockname()[1]}/"
        print(f"{url} (Ctrl-C ends)", flush=True)
        if options.open:
            webbrowser.open(url)
        config = uvicorn.Config(make_app(options.root), log_level="warning", server_header=False)
        uvicorn.Server(config).run(sockets=[bound])
    return 0


if __name__ == "__main__":
    run(main)
