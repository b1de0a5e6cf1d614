"""Names by which runs are told apart: the network, and in which settings it differs from the others of its kind.

In: runs with the tag, data set, depth and network of each, and its settings. Out: a name for each. Imports no pandas.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

KIND = ("tag", "dataset", "depth", "network")


def told_apart(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a name for each run: `SNN`, or `SNN, lr 1e-4` where runs of its kind differ in that.

    A setting that most runs of a kind share is not named. Runs that are equal in all settings are told apart by the
    hash at the end of their id. runs: KIND, settings (name -> text) and id.
    """
    kinds: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for run in runs:
        kinds[tuple(run[key] for key in KIND)].append(run)
    usual = {kind: _usual(members) for kind, members in kinds.items()}
    names = [_name(run, usual[tuple(run[key] for key in KIND)]) for run in runs]
    places = [(*(run[key] for key in KIND), name) for run, name in zip(runs, names, strict=True)]
    copies = Counter(places)
    return [
        f"{name} ({str(run['id']).rsplit('-', 1)[-1]})" if copies[place] > 1 else name
        for run, name, place in zip(runs, names, places, strict=True)
    ]


def _usual(members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return for each setting that varies the value that more than half of the runs have, or None."""
    keys = {key: None for run in members for key in run["settings"]}
    counts = {key: Counter(run["settings"].get(key) for run in members) for key in keys}
    commonest = {key: count.most_common(1)[0] for key, count in counts.items() if len(count) > 1}
    return {key: value if 2 * times > len(members) else None for key, (value, times) in commonest.items()}


def _name(run: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    own = ((key, run["settings"].get(key)) for key in usual)
    return ", ".join([run["network"], *(f"{key} {value}" for key, value in own if value not in (None, usual[key]))])


def varying(runs: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the settings in which any two runs differ."""
    keys = {key for run in runs for key in run["settings"]}
    return {key for key in keys if len({run["settings"].get(key) for run in runs}) > 1}
