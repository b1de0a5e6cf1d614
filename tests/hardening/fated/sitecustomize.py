"""What every Python begins with whose PYTHONPATH has this folder: the fate in the variable FATE, when it imports AT."""

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
import fates

name, *arguments = json.loads(os.environ["FATE"])


def begin(event: str, about: tuple[Any, ...]) -> None:
    if event == "import" and about[0] == os.environ["AT"]:
        getattr(fates, name)(*arguments)


sys.addaudithook(begin)
