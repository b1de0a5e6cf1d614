"""Python imports a module of this name before any other, in every process whose PYTHONPATH has this folder.

The variable FATE holds a function of `fates` and its arguments as a JSON list; it is called when the process begins to
import the module that the variable AT names, so that a process which never gets there (a launcher, a helper of a
library) is left alone.
"""

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
