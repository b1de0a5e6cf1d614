"""The package as pip installs it: few dependencies, each of them used, and one line where an extra is missing."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from composed import ROOT, compose_job

from selfnorm.commandline import EXTRAS
from selfnorm.training import command

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMPORTED_AS = {
    "hydra-core": "hydra",
    "pyyaml": "yaml",
    "python-flint": "flint",
    "scikit-learn": "sklearn",
    "pillow": "PIL",
}
SOURCES = "\n".join(path.read_text() for folder in ("src", "scripts") for path in (ROOT / folder).rglob("*.py"))
SOURCES += (ROOT / "train.py").read_text()


def module(requirement: str) -> str:
    name = re.split(r"[>=<\[]", requirement)[0]
    return IMPORTED_AS.get(name, name.replace("-", "_"))


def test_a_default_install_has_few_dependencies_and_imports_each() -> None:
    modules = [module(requirement) for requirement in PROJECT["dependencies"]]
    assert len(modules) <= 14
    assert [name for name in modules if not re.search(rf"^\s*(import|from) {name}\b", SOURCES, re.M)] == []
    assert not set(modules) & set(EXTRAS)


def test_every_package_of_an_extra_has_its_line() -> None:
    extras = PROJECT["optional-dependencies"]
    declared = {
        module(requirement): extra
        for extra in set(EXTRAS.values())
        for requirement in extras[extra]
        if not requirement.startswith("selfnorm[")
    }
    assert declared == EXTRAS
    assert set(EXTRAS.values()) <= {
        name for requirement in extras["dev"] for name in re.findall(r"[a-z]+", requirement)
    }


@pytest.mark.parametrize(
    ("script", "package"),
    [("review.py", "uvicorn"), ("prove.py", "flint"), ("report.py", "pandas"), ("dashboard.py", "wandb_workspaces")],
)
def test_a_script_names_the_extra_that_it_misses(script: str, package: str, tmp_path: Path) -> None:
    code = (
        f"import runpy, sys; sys.modules[{package!r}] = None; sys.argv = [{script!r}, *sys.argv[1:]]\n"
        f"runpy.run_path({str(ROOT / 'scripts' / script)!r}, run_name='__main__')"
    )
    arguments = [] if script == "prove.py" else [str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert done.stderr == f"{script}: {package} is not installed: pip install 'selfnorm[{EXTRAS[package]}]'\n"


def test_a_job_names_the_extra_that_its_data_misses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_job(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")

    monkeypatch.setattr(command, "run_job", run_job)
    assert command.attempt(compose_job("dataset=digits")) == 2
    assert capsys.readouterr().err == "train.py: sklearn is not installed: pip install 'selfnorm[digits]'\n"


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import selfnorm, sys; print(sorted({'torch', 'numpy', 'pandas', 'hydra', 'wandb'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n"
