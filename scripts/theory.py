"""Draw the theory's pictures: python scripts/theory.py [--out DIR]

Writes map, selu, existence and correlation as PNG, SVG and PDF, and activations.md, tables of the activations' fixed
points.
"""

from pathlib import Path

from selfnorm.commandline import Parser, interruptible, new_folder, run

with interruptible():
    from selfnorm.runs.files import write_atomically
    from selfnorm.theory.activation_table import activations_page
    from selfnorm.theory.figures import correlation_figure, existence_figure, map_figure, rendered, selu_figure


def main() -> None:
    parser = Parser(description="Draw the theory's pictures.")
    parser.add_argument("--out", type=new_folder, default=Path("docs/theory"), help="folder for the pictures")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    figures = {"map": map_figure(), "selu": selu_figure(), "existence": existence_figure()}
    for name, figure in (figures | {"correlation": correlation_figure()}).items():
        for suffix, drawn in rendered(figure).items():
            write_atomically(out / f"{name}.{suffix}", drawn)
        print(out / f"{name}.png")
    write_atomically(out / "activations.md", activations_page())
    print(out / "activations.md")


if __name__ == "__main__":
    run(main)
