"""Colours and dashes of the lines: those of the printed Figure 1, and lighter ones on a dark page.

In: networks and depths. Out: CSS colours and plotly's names of dashes.
"""

from collections.abc import Sequence

from matplotlib.colors import to_hex

from selfnorm.analysis.figures.style import shade

DASHES = ("solid", "dash", "dot", "dashdot")
COPIES = ("longdash", "longdashdot", "12px 2px 2px 2px 2px 2px", "2px 6px")  # of further runs of a cell
_DARK = {"SNN": ("#ffc2a8", "#ff8c6b", "#ff5a4d"), "BN": ("#bcdcf5", "#7fb8ea", "#4a90e2")}
# Okabe and Ito's colours that are neither red nor blue, for a light page and for a dark page
_OTHERS = (
    ("#007a5a", "#3fc79f"), ("#b07700", "#e8b13c"), ("#8f4a7d", "#d99bc6"), ("#5c5c5c", "#b5b5b5"),
    ("#6b6100", "#d8ce4a"), ("#0b7285", "#5cc8dc"),
)  # fmt: skip


def line_style(
    network: str, networks: Sequence[str], depth: int, depths: Sequence[int], *, copy: int = 0
) -> dict[str, str]:
    """Return colour, dark (the colour on a dark page) and dash of a network at a depth; deeper is stronger.

    copy: how many runs of the same network and depth came before.
    """
    rank, strongest = sorted(depths).index(depth), len(depths) - 1
    dash = COPIES[(copy - 1) % len(COPIES)] if copy else DASHES[rank % len(DASHES)]
    if network in _DARK:
        position = round(2 * rank / strongest) if strongest else 2
        return {"colour": to_hex(shade(network, rank, len(depths))), "dark": _DARK[network][position], "dash": dash}
    others = [name for name in networks if name not in _DARK]
    colour, dark = _OTHERS[others.index(network) % len(_OTHERS)]
    return {"colour": colour, "dark": dark, "dash": dash}
