"""A table of text as Markdown and as LaTeX (booktabs). In: a data frame of strings. Out: one string."""

import pandas as pd

_LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "→": r"$\rightarrow$", "–": "--", "×": r"$\times$"}


def markdown_table(table: pd.DataFrame) -> str:
    """A GitHub table; pipes inside cells are escaped."""
    head = [str(c) for c in table.columns]
    body = [[str(v).replace("|", r"\|") for v in row] for row in table.itertuples(index=False)]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def latex_table(table: pd.DataFrame) -> str:
    r"""A tabular with \toprule, \midrule, \bottomrule: needs \usepackage{booktabs}."""
    rows = [[_escape(str(v)) for v in row] for row in table.itertuples(index=False)]
    head = [_escape(str(c)) for c in table.columns]
    body = [" & ".join(row) + r" \\" for row in rows]
    lines = [rf"\begin{{tabular}}{{{'l' * len(head)}}}", r"\toprule", " & ".join(head) + r" \\", r"\midrule"]
    return "\n".join([*lines, *body, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _escape(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
