"""How rough a curve is once its trend is gone, and how far seeds lie apart: numbers per seed from arrays.

In: curves y_RT, R seeds at T equally spaced steps. Out: one value per seed. Nothing here knows of networks.
"""

from collections.abc import Callable
from math import comb

import numpy as np

MAX_ORDER = 6
SETTLED = 0.9  # white noise gives every order the same estimate, a random walk 95 % of it; a trend gives far less
MIN_DIFFERENCES = 3  # below it the estimate is little more than one squared difference


def noise_sd(y_RT: np.ndarray, order: int = 2) -> np.ndarray:
    """Standard deviation of the noise about the trend of each curve, shape (R,), in the unit of y.

    sigma^2 = mean((D^k y)^2) / C(2k, k), k = `order`: the k-th difference removes a trend of degree k - 1
    and of white noise it keeps C(2k, k) times the variance (6 for k = 2). Rice 1984; Gasser, Sroka,
    Jennen-Steinmetz 1986. A curved trend adds mean((D^k trend)^2) / C(2k, k): order 3 tells how much of
    order 2 that is. Raises ValueError below three differences, or for a value that is not finite.
    """
    if not np.isfinite(y_RT).all():
        raise ValueError("curve has a value that is not finite: leave out the seeds that diverged")
    if y_RT.shape[-1] - order < MIN_DIFFERENCES:
        raise ValueError(
            f"{y_RT.shape[-1]} points give {max(0, y_RT.shape[-1] - order)} differences of order {order}, at "
            f"least {MIN_DIFFERENCES} are needed: train more epochs or widen the window"
        )
    return np.sqrt(np.mean(np.diff(y_RT, n=order, axis=-1) ** 2, axis=-1) / comb(2 * order, order))


def check_even(steps_T: np.ndarray) -> None:
    """Raises ValueError unless the steps are equally spaced: else differences do not remove the trend."""
    gaps = np.unique(np.diff(steps_T))
    if len(gaps) > 1:
        raise ValueError(f"steps are {gaps[0]} to {gaps[-1]} apart, not equally spaced: record once per epoch")


def settled_order(estimates: Callable[[int], list[np.ndarray]]) -> tuple[int, list[np.ndarray]]:
    """The lowest order of differences, 2 or above, at which the trend of every network is gone, and its estimates.

    `estimates(order)` gives one array of noise_sd per network. An order is settled when the next one gives at least
    90 % of it (geometric mean over seeds) for every network: what still falls is trend, not noise (choosing the
    order so goes back to Seifert, Gasser, Wolf 1993). Raises ValueError when order 5 is not settled either.
    """
    current = estimates(2)
    for order in range(2, MAX_ORDER):
        following = estimates(order + 1)
        fall = [np.exp(np.mean(safe_log(f) - safe_log(c))) for f, c in zip(following, current, strict=True)]
        if min(fall) >= SETTLED:
            return order, current
        current = following
    raise ValueError(f"a curve bends so fast that its differences up to order {MAX_ORDER} are trend: record more often")


def levels(y_RT: np.ndarray, order: int = 2) -> np.ndarray:
    """The level at which each difference stands: the mean of its order + 1 points, shape (R, T - order).

    The mean is orthogonal to the difference, so that choosing differences by level does not trim the noise,
    as choosing points by their own value would.
    """
    return np.lib.stride_tricks.sliding_window_view(y_RT, order + 1, axis=-1).mean(axis=-1)


def common_band(levels_by_network: list[np.ndarray]) -> tuple[float, float]:
    """The band (low, high) that every seed of every network visits. Raises ValueError if there is none."""
    low = max(float(level_RT.min(axis=-1).max()) for level_RT in levels_by_network)
    high = min(float(level_RT.max(axis=-1).min()) for level_RT in levels_by_network)
    if low >= high:
        raise ValueError(
            f"no error level is visited by every seed of both networks (lowest {np.exp(low):.3g}, highest "
            f"{np.exp(high):.3g}): train longer"
        )
    return low, high


def noise_sd_in_band(y_RT: np.ndarray, band: tuple[float, float], order: int = 2) -> np.ndarray:
    """noise_sd from the differences whose level lies in `band`, shape (R,).

    Raises ValueError when a seed has fewer than three differences there.
    """
    differences = np.diff(y_RT, n=order, axis=-1)
    level_RT = levels(y_RT, order)
    inside = (level_RT >= band[0]) & (level_RT <= band[1])
    fewest = int(inside.sum(axis=-1).min())
    if fewest < MIN_DIFFERENCES:
        raise ValueError(
            f"a seed has only {fewest} of its differences in the common band of levels ({np.exp(band[0]):.3g} to "
            f"{np.exp(band[1]):.3g}), {MIN_DIFFERENCES} are needed: train longer or record more often"
        )
    total = np.where(inside, differences**2, 0).sum(axis=-1)
    return np.sqrt(total / inside.sum(axis=-1) / comb(2 * order, order))


def spread(y_RT: np.ndarray) -> float:
    """Standard deviation over seeds, root mean square over steps. Raises ValueError below 2 seeds."""
    if len(y_RT) < 2:
        raise ValueError(f"{len(y_RT)} seeds have no spread: at least 2 are needed, run more seeds")
    if y_RT.shape[-1] == 0:
        raise ValueError("a curve has no record in the common band of levels: record more often")
    return float(np.sqrt(y_RT.var(axis=0, ddof=1).mean()))


def spread_pseudovalues(y_RT: np.ndarray) -> np.ndarray:
    """Jackknife pseudo-values of log spread, shape (R,): R log s - (R - 1) log s without the seed.

    Their mean is log spread with its small-sample bias removed and they behave like independent values,
    which makes a spread comparable like any other statistic per seed (Miller 1968). Raises ValueError below
    3 seeds.
    """
    num_seeds = len(y_RT)
    if num_seeds < 3:
        raise ValueError(f"{num_seeds} seeds are too few to judge a spread: at least 3 are needed, run more seeds")
    without = np.array([spread(np.delete(y_RT, r, axis=0)) for r in range(num_seeds)])
    return num_seeds * safe_log(spread(y_RT)) - (num_seeds - 1) * safe_log(without)


def safe_log(values: np.ndarray | float) -> np.ndarray:
    """Logarithm of positive values. Raises ValueError when one is 0: a ratio to it means nothing."""
    if np.min(values) <= 0:
        raise ValueError("a curve does not fluctuate at all (a network that does not train?): look at its curve")
    return np.log(values)


def steps_to_level(steps_T: np.ndarray, y_RT: np.ndarray, level: float) -> np.ndarray:
    """Updates until each curve is first at or below `level`, shape (R,); NaN where it never is (censored).

    Linear between the two records around the crossing, since an epoch is too coarse for fast networks.
    """
    below = y_RT <= level
    reached = below.any(axis=-1)
    after = np.maximum(below.argmax(axis=-1), 1)
    rows = np.arange(len(y_RT))
    y0, y1 = y_RT[rows, after - 1], y_RT[rows, after]
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = np.clip((y0 - level) / (y0 - y1), 0, 1)
    crossing = steps_T[after - 1] + fraction * (steps_T[after] - steps_T[after - 1])
    crossing = np.where(below[:, 0], steps_T[0], crossing)
    return np.where(reached, crossing, np.nan)
