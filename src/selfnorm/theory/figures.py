"""Pictures of the theory: the map as arrows, SELU with its four properties, where fixed points exist and attract.

In: nothing. Out: matplotlib figures, the same bytes on every run when `rendered`.
"""

from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from selfnorm.theory.activations import Activation, activation
from selfnorm.theory.correlation import correlation_map
from selfnorm.theory.fixed_points import existence_map
from selfnorm.theory.moment_map import layer_map
from selfnorm.theory.selu import Selu

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#AA4499"  # Okabe-Ito, Tol
LABEL: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.9, "pad": 1.5}
NOTE: dict[str, Any] = {"fontsize": 9, "bbox": LABEL}
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "selfnorm",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}


@mpl.rc_context(STYLE)
def rendered(figure: Figure) -> dict[str, bytes]:
    """Return the figure as png (150 dpi), svg and pdf without dates: the same picture gives the same bytes."""
    files = {}
    for kind, date in {"png": "Software", "svg": "Date", "pdf": "CreationDate"}.items():
        drawn = BytesIO()
        figure.savefig(drawn, format=kind, dpi=150 if kind == "png" else None, metadata={date: None})
        files[kind] = drawn.getvalue()
    return files


CHAIN = 32  # layers of the second panel of the C map


@mpl.rc_context(STYLE)
def correlation_figure() -> Figure:
    """Draw the C map of one layer and of a chain: which networks keep two samples apart (Martens et al. 2021)."""
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    one, many = figure.subplots(1, 2, sharey=True)
    c = np.concatenate([np.linspace(0, 0.95, 20), [0.97, 0.985, 0.995, 1.0]])
    networks: dict[str, tuple[Activation, float, str]] = {
        "ReLU": (activation("relu"), 2.0, ORANGE),
        "SELU": (activation("selu"), 1.0, BLUE),
        f"TAT for {CHAIN} layers": (activation("tat", layers=CHAIN), 1.0, GREEN),
        f"DKS tanh for {CHAIN} layers": (activation("dks", function="tanh", layers=CHAIN), 1.0, PURPLE),
    }
    for name, (f, y, colour) in networks.items():
        path = [c]
        for _ in range(CHAIN):
            path.append(np.clip(correlation_map(f, path[-1], y=y), -1, 1))
        for ax, layers in ((one, 1), (many, CHAIN)):
            ax.plot(c, path[layers], color=colour, label=name)
    for ax, title in ((one, "after one layer"), (many, f"after {CHAIN} layers")):
        ax.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, zorder=0)
        ax.set_title(title, loc="left")
        ax.set_xlabel("cosine of two samples before")
    one.set_ylabel("cosine after")
    one.legend(loc="upper left", frameon=False)
    return figure


@mpl.rc_context(STYLE)
def map_figure() -> Figure:
    """Draw (mu, nu) -> (mu~, nu~) as arrows, wide and around Theorem 1's domain (paper: Fig. 2)."""
    figure = Figure(figsize=(9.0, 4.4), layout="constrained")
    wide, near = figure.subplots(1, 2)
    _arrows(wide, np.linspace(-1, 1, 12), np.linspace(0.1, 4, 13), lift=-36)
    _arrows(near, np.linspace(-0.14, 0.14, 12), np.linspace(0.7, 1.6, 13))
    wide.set_title("from far away", loc="left")
    near.set_title("around Theorem 1's domain (green)", loc="left")
    wide.set_xticks([-1, -0.5, 0, 0.5, 1])
    figure.suptitle(
        r"The moment map of SELU, $\omega = 0$, $\tau = 1$: arrows go a third of the way "
        r"from $(\mu, \nu)$ to $(\tilde\mu, \tilde\nu)$",
        fontsize=11,
    )
    return figure


def _arrows(axes: Axes, mu: np.ndarray, nu: np.ndarray, lift: float = 9) -> None:
    grid_mu, grid_nu = np.meshgrid(mu, nu)
    new_mu, new_nu = layer_map(Selu(), grid_mu, grid_nu)
    step = (new_mu - grid_mu) / 3, (new_nu - grid_nu) / 3
    shape: dict[str, Any] = {"width": 0.004, "headwidth": 4, "headlength": 5, "headaxislength": 4.5, "minlength": 0.5}
    axes.quiver(grid_mu, grid_nu, *step, angles="xy", scale_units="xy", scale=1, color=BLUE, **shape)
    axes.add_patch(Rectangle((-0.1, 0.8), 0.2, 0.7, fill=False, edgecolor=GREEN, linewidth=2, zorder=3))
    _mark(axes, lift)
    axes.set(xlabel=r"mean $\mu$", ylabel=r"variance $\nu$")
    axes.margins(0.05)


def _mark(axes: Axes, lift: float = 9) -> None:
    """Draw the fixed point (0, 1), with its label `lift` points above."""
    axes.plot(0, 1, "o", color=ORANGE, markeredgecolor="white", markersize=8, zorder=4)
    style: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": 9, "bbox": LABEL, "zorder": 5}
    axes.annotate("fixed point (0, 1)", (0, 1), (0, lift), **style)


@mpl.rc_context(STYLE)
def selu_figure() -> Figure:
    """Draw SELU beside ReLU and ELU, with the four properties that the paper asks of an activation (Sec. 2)."""
    figure = Figure(figsize=(6.6, 4.4), layout="constrained")
    axes = figure.subplots()
    z = np.linspace(-5, 3, 801)
    selu = Selu()
    floor = -selu.lambda_ * selu.alpha
    axes.axhline(0, color="#bbbbbb", linewidth=0.8)
    axes.axvline(0, color="#bbbbbb", linewidth=0.8)
    axes.plot([-5, 0], [floor, floor], color=BLUE, linewidth=0.9, linestyle=(0, (2, 3)))
    axes.plot(z, activation("relu")(z), color=PURPLE, linestyle=":", linewidth=1.8, label="ReLU")
    axes.plot(z, activation("elu")(z), color=GREEN, linestyle="--", linewidth=1.8, label="ELU")
    axes.plot(z, selu(z), color=BLUE, linewidth=2.4, label="SELU")
    saturation = rf"2  saturates at $-\lambda\alpha = {floor:.4f}$:" "\n    damps the variance"
    slope = rf"3  slope $\lambda = {selu.lambda_:.4f} > 1$:" "\n    raises the variance"
    _note(axes, "1  both signs:\n    controls the mean", -1.0, (0.35, -1.45))
    _note(axes, saturation, -4.2, (-4.75, -0.47))
    _note(axes, slope, 2.0, (-0.95, 2.5))
    _note(axes, "4  continuous:\n    a fixed point exists", 0, (0.75, -0.62))
    axes.set(xlabel=r"pre-activation $z$", ylabel=r"$f(z)$", xlim=(-5, 3), ylim=(-2.1, 3.3))
    axes.legend(loc="upper left", frameon=False)
    axes.set_title("SELU and its four required properties", loc="left")
    return figure


def _note(axes: Axes, text: str, z: float, place: tuple[float, float]) -> None:
    point = (z, float(Selu()(np.array(z))))
    arrow = {"arrowstyle": "-", "color": ORANGE, "linewidth": 1.0, "shrinkA": 2, "shrinkB": 4}
    axes.annotate(text, point, place, color="black", fontsize=9.5, arrowprops=arrow, va="center", bbox=LABEL)
    axes.plot(*point, "o", color=ORANGE, markersize=6, zorder=4)


@mpl.rc_context(STYLE)
def existence_figure() -> Figure:
    """Draw for which (mu, nu) a SELU has that fixed point, and how fast it attracts, for three kinds of weights."""
    figure = Figure(figsize=(10.0, 4.0), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    mu, nu = np.linspace(-1.5, 1.5, 401), np.geomspace(0.05, 10, 301)
    titles = {None: "independent random weights", 0.0: r"$\omega = 0$", 1.0: r"$\omega = 1$"}
    levels = np.linspace(0, 1, 11)
    for axes, (omega, title) in zip(panels, titles.items(), strict=True):
        rate = existence_map(mu[None, :], nu[:, None], omega=omega)
        axes.set_facecolor("#dddddd")
        filled = axes.contourf(mu, nu, rate, levels=levels, cmap="viridis")
        axes.contourf(mu, nu, rate, levels=[1, np.inf], colors=["white"], hatches=["//"])
        _mark(axes)
        axes.set(yscale="log", xlabel=r"mean $\mu$", xticks=[-1, 0, 1])
        axes.set_title(title, loc="left", fontsize=11)
        if np.nanmin(rate) > 1:
            axes.text(0.05, 0.9, "exists, does not attract", transform=axes.transAxes, **NOTE)
        side = 0.05 if np.isnan(rate[0, 0]) else 0.95  # the corner of low variance that is grey
        axes.text(side, 0.06, "no SELU", transform=axes.transAxes, ha="right" if side > 0.5 else "left", **NOTE)
    panels[0].set_ylabel(r"variance $\nu$")
    panels[0].set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    bar = figure.colorbar(filled, ax=panels, label="deviation left after one layer", pad=0.01)
    bar.set_ticks(list(levels[::2]))
    return figure
