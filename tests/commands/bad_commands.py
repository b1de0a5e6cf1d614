"""Command lines that cannot be met, drawn by a seeded generator over the schema, the groups and the scripts' options.

Out: (kind of mistake, arguments). Every line holds a certain mistake, and up to two good overrides beside it.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from composed import ROOT
from hydra.core.override_parser.overrides_parser import OverridesParser

from selfnorm.config import ConfigError, parse_job
from selfnorm.sweeps.check import plain
from selfnorm.sweeps.compose import composed

Line = tuple[str, list[str]]
GROUPS = ("dataset", "model", "activation", "normalization", "dropout", "optimizer", "scale", "trainer")
GOOD = ("dataset=digits", "scale=smoke", "logger.mode=disabled", "progress=false", "model.block=highway", "tag=own")
VALUES = (
    "-1", "0", "2.5", "text", "true", "null", "[1]", "{a: 1}", "inf", "-inf", "nan", "1e99", "''", "[a]", "[-1]",
    "[1,1]", "[]", "99999999999999999999", "1_000_000_000_000", "[[1]]", "2022-01-01", "/etc/passwd", "../../x",
)  # fmt: skip
MALFORMED = ("{key}", "{key}==1", "{key}=[1", "{key}={{a:1", "{key}='x", "{key}=1,2", "={key}", "{key}=${{nope}}",
             "{key}=${{oc.env:NO_SUCH_VARIABLE}}", "{key}=$(id)", "{key}=a:b:c", "{key}=`id`", "{key}[0]=1",
             "{key}=${{", "+{key}=3", "~{key}", "{key}=choice(1", "a\n{key}=2", "{key}.x.y=1")  # fmt: skip
IMPOSSIBLE = (
    ["activation=relu", "dropout=alpha"],
    ["activation.learn=true", "dropout=alpha"],
    ["activation.fixed_point=[0,2]", "activation.alpha=2"],
    ["activation.fixed_point=[-0.5,0.1]"],
    ["dataset=digits", "dataset.train_limit=1281"],
    ["dataset=digits", "training.batch_size=1281"],
    ["normalization=batch", "training.batch_size=1"],
    ["normalization=batch", "training.error_batch_size=1"],
    ["dataset=digits", "scale=smoke", "training.batch_size=513"],
    ["dataset=digits", "scale=smoke", "recording.error_samples=513"],
    ["dataset=digits", "scale=smoke", "recording.errors_per_epoch=3"],
    ["trainer=ddp_cpu", "training.batch_size=127"],
    ["trainer.devices=3", "trainer.num_nodes=3"],
    ["seeds=[1,2,1]"],
    ["-m", "trainer=ddp_cpu", "seeds=[1],[2]"],
    ["hydra.output_subdir=.hydra", "model.depth=0"],
    ["dataset=digits", f"data_dir={'a' * 300}"],
)


def job_lines(number: int, *, seed: int) -> list[Line]:
    """Bad command lines of train.py, the kinds in turn."""
    draw = random.Random(seed)
    kinds: tuple[Callable[[random.Random], Line], ...] = (
        _bad_value, _unknown_key, _unknown_choice, _unknown_flag, _malformed, _repeated, _removed, _impossible,
        _bad_cell, _bad_plugin_value,
    )  # fmt: skip
    return [_beside_good(kinds[i % len(kinds)](draw), draw) for i in range(number)]


def _beside_good(line: Line, draw: random.Random) -> Line:
    kind, arguments = line
    used = " ".join(arguments)
    good = [text for text in draw.sample(GOOD, draw.randint(0, 2)) if text.split("=")[0].split(".")[0] not in used]
    return kind, [*arguments, *good]


@cache
def base() -> dict[str, Any]:
    return plain(composed("dataset=digits", "scale=smoke"))


def _leaves() -> list[str]:
    found = []
    for key, value in base().items():
        found += [f"{key}.{inner}" for inner in value] if isinstance(value, dict) else [key]
    return sorted(found)


def _is_refused(key: str, value: Any) -> bool:
    config = copy.deepcopy(base())
    *parents, last = key.split(".")
    for parent in parents:
        config = config[parent]
    config[last] = value
    whole = copy.deepcopy(base())
    if parents:
        whole[parents[0]] = config
    else:
        whole = config
    try:
        parse_job(whole)
    except ConfigError:
        return True
    return False


@cache
def _bad_values(key: str) -> tuple[str, ...]:
    parser = OverridesParser.create()
    values = {text: parser.parse_override(f"{key}={text}").value() for text in VALUES}
    return tuple(text for text, value in values.items() if _is_refused(key, value))


def _bad_value(draw: random.Random) -> Line:
    key = draw.choice([key for key in _leaves() if _bad_values(key) and key != "scale"])
    return "a value of the wrong type or out of range", [f"{key}={draw.choice(_bad_values(key))}"]


def _misspelt(word: str, draw: random.Random) -> str:
    at = draw.randrange(len(word))
    return draw.choice((word[:at] + word[at + 1 :] + "q", word[:at] + "x" + word[at:], word.upper() + "_"))


def _unknown_key(draw: random.Random) -> Line:
    *parents, last = draw.choice(_leaves()).split(".")
    key = ".".join([*parents, _misspelt(last, draw)])
    return "an unknown key", [f"{draw.choice(('', '', '+', '++'))}{key}=1"]


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))


def _unknown_choice(draw: random.Random) -> Line:
    group = draw.choice((*GROUPS, "+experiment", "+sweep"))
    return "an unknown choice of a group", [f"{group}={_misspelt(draw.choice(choices(group.strip('+'))), draw)}"]


def _unknown_flag(draw: random.Random) -> Line:
    flag = draw.choice(("--depth=3", "--seeds", "--dataset mnist", "-z", "--cfg", "--cfg=all_of_it", "--info=nothing",
                        "--gpu", "--tag=x", "--experimental-rerun=job.pickle", "--config-name=nope",
                        "--config-dir=nope", "--config-path=nope", "--resolve", "--shell-completion"))  # fmt: skip
    return "an unknown or misused flag", flag.split()


def _malformed(draw: random.Random) -> Line:
    key = draw.choice(("model.depth", "optimizer.lr", "training.epochs", "seeds.0", "dataset.name"))
    return "not an override at all", [draw.choice(MALFORMED).format(key=key)]


def _repeated(draw: random.Random) -> Line:
    key = draw.choice(_leaves())
    return "the same key twice", [f"{key}=1", f"{draw.choice(('', '+', '++', '~'))}{key}=2"]


def _removed(draw: random.Random) -> Line:
    needed = ("model.depth", "optimizer.lr", "trainer.accelerator", "seeds", "tag", "dataset.name", "optimizer",
              "activation", "training.epochs", "model", "trainer", "logger", "training")  # fmt: skip
    line = draw.choice(("~{}", "{}=''", "{}=null")).format(draw.choice(needed))
    return "a key that must be there, removed or empty", [line]


def _impossible(draw: random.Random) -> Line:
    return "a combination that cannot work", list(draw.choice(IMPOSSIBLE))


def _bad_cell(draw: random.Random) -> Line:
    swept = (
        "model.depth=1,0", "activation=selu,seluu", "optimizer.lr=1e-5,-1,1e-4", "seeds=[1],[1,1]", "model.dept=1,2",
        "+experiment=selu_deep,nope", "model.depth=interval(1,3)", "model.depth=range(0,2)",
    )  # fmt: skip
    return "a mistake in one cell of a sweep", ["-m", draw.choice(swept)]


def _bad_plugin_value(draw: random.Random) -> Line:
    given = (
        "+sweep=tune hydra.sweeper.n_trials=abc", "+sweep=tune hydra.sweeper.n_trials=0",
        "+sweep=tune hydra.sweeper.n_jobs=0", "+sweep=tune hydra.sweeper.n_jobs=1.5",
        "+sweep=tune hydra.sweeper.storage=nope://x", "+sweep=tune hydra.sweeper.storage=file",
        "+sweep=tune hydra.sweeper.direction=up", "+sweep=tune hydra.sweeper.direction=[minimize,maximize]",
        "-m hydra/launcher=joblib hydra.launcher.n_jobs=0", "-m hydra/launcher=joblib hydra.launcher.n_jobs=-2",
        "-m hydra/launcher=ray hydra.launcher.ray.init.num_cpus=abc",
        "-m hydra/launcher=ray hydra.launcher.ray.init.num_cpus=0",
    )  # fmt: skip
    return "a value that a sweeper or a launcher cannot take", draw.choice(given).split()


def script_lines(number: int, *, seed: int, folder: Path) -> list[tuple[str, str, list[str]]]:
    """(script, kind of mistake, arguments) over every script; `folder` holds `a_file` and nothing else."""
    draw = random.Random(seed)
    scripts = sorted(path.name for path in (ROOT / "scripts").glob("*.py"))
    found = []
    for i in range(number):
        script = scripts[i % len(scripts)]
        options = OPTIONS.get(script, {})
        kind, arguments = draw.choice(_script_mistakes(script, options, draw))
        found.append((script, kind, [text.replace("FOLDER", str(folder)) for text in arguments]))
    return found


# Of each script: a call that would be fine but for the mistake, its options, and values that each must refuse
CALLS = {
    "compare.py": ["FOLDER", "FOLDER"],
    "export.py": ["FOLDER", "--seed=1"],
    "fetch.py": ["digits"],
    "prediction.py": ["FOLDER", "--out=FOLDER/out"],
    "report.py": ["FOLDER", "--out=FOLDER/out"],
    "upload.py": ["FOLDER"],
}
BAD_FOLDERS = ("", "FOLDER/a_file", "FOLDER/a_file/below")
NO_WANDB_NAMES = ("", " ", "a/b", "a\n#", "x" * 129, "100%")
OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "benchmark.py": {"--device": ("gpu", ""), "--rounds": ("x", "0", "-1", "2.5", ""), "--out": BAD_FOLDERS},
    "compare.py": {"--runs": BAD_FOLDERS, "--out": BAD_FOLDERS},
    "export.py": {"--seed": ("x", "1.5", "", "nan"), "--out": BAD_FOLDERS},
    "dashboard.py": {"--project": NO_WANDB_NAMES, "--entity": NO_WANDB_NAMES},
    "fetch.py": {"--data-dir": BAD_FOLDERS},
    "prediction.py": {"--data": BAD_FOLDERS, "--out": BAD_FOLDERS},
    "prove.py": {"--out": BAD_FOLDERS},
    "report.py": {"--out": BAD_FOLDERS},
    "review.py": {"--port": ("x", "-1", "65536", "2.5", ""), "--host": ("", " ")},
    "runs.py": {"--tag": ("",), "--state": ("",)},
    "theory.py": {"--out": BAD_FOLDERS},
}


def _script_mistakes(script: str, options: dict[str, tuple[str, ...]], draw: random.Random) -> list[Line]:
    call = CALLS.get(script, [])
    found = [
        ("a script: an unknown option", [*call, f"--{_misspelt('verbose', draw)}"]),
        ("a script: an unknown option", [*call, "-z"]),
        ("a script: an argument too many", [*call, "too", "many"]),
    ]
    if call:
        found.append(("a script: an argument that is missing", call[1:]))
        found.append(("a script: an argument that does not exist", ["FOLDER/nowhere", *call[1:]]))
        found.append(("a script: a file where a folder belongs", ["FOLDER/a_file", *call[1:]]))
    for option, values in options.items():
        rest = [text for text in call if not text.startswith(f"{option}=")]
        found.append(("a script: an option given twice", [*rest, f"{option}=1", f"{option}=1"]))
        found.append(("a script: an option without its value", [*rest, option]))
        found.append(("a script: an abbreviated option", [*call, f"{option[:-1]}=1"]))
        found += [("a script: a value that an option cannot take", [*rest, f"{option}={value}"]) for value in values]
    return found
