"""Draw the theory's pictures: python scripts/theory.py [--out DIR]

Writes map, selu and existence as PNG, SVG and PDF, activations.md, the table of the activations' fixed points, and
README.md, which explains them.
"""

from pathlib import Path

from selfnorm.commandline import Parser, interruptible, new_folder, run

with interruptible():
    from selfnorm.theory.captions import README
    from selfnorm.theory.figures import existence_figure, map_figure, save, selu_figure
    from selfnorm.theory.survey import activation_table


def main() -> None:
    parser = Parser(description="Draw the theory's pictures.")
    parser.add_argument("--out", type=new_folder, default=Path("docs/theory"), help="folder for the pictures")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, figure in {"map": map_figure(), "selu": selu_figure(), "existence": existence_figure()}.items():
        save(figure, out / name)
        print(out / f"{name}.png")
    for name, text in {"activations.md": activation_table(), "README.md": README}.items():
        (out / name).write_text(text)
        print(out / name)


if __name__ == "__main__":
    run(main)
