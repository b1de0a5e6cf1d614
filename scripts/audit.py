"""Known weaknesses of the locked packages, by pip-audit: python scripts/audit.py

Exit code 1 if one is found. Where PyPI's advisories cannot be had (no internet, a mirror without them) it says so.
"""

import json
import subprocess
import sys
from pathlib import Path

from selfnorm.commandline import Parser, run

LOCK = Path(__file__).parents[1] / "requirements.lock"
COMMAND = ("-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json", "--requirement")


def main() -> int:
    parser = Parser(description=__doc__)
    parser.add_argument("lock", type=Path, nargs="?", default=LOCK, help="file of exact versions (requirements.lock)")
    lock: Path = parser.parse_args().lock
    if not lock.is_file():
        parser.error(f"{str(lock)!r} is not a file")
    done = subprocess.run([sys.executable, *COMMAND, str(lock)], capture_output=True, text=True, check=False)
    code, text = report(done.stdout, done.stderr)
    print(text)
    return code


def report(found: str, errors: str) -> tuple[int, str]:
    """Exit code and words for what pip-audit printed."""
    try:
        packages = json.loads(found)["dependencies"]
    except (ValueError, KeyError):
        return (
            0,
            f"not audited: pip-audit had no answer ({(errors.strip().splitlines() or ['nothing said'])[-1][:200]})",
        )
    audited = [package for package in packages if "vulns" in package]
    if not audited:
        return 0, f"not audited: no advisories can be had from here for any of {len(packages)} packages"
    weak = [
        f"{package['name']} {package['version']}: {known['id']}, mended in {', '.join(known['fix_versions']) or '-'}"
        for package in audited
        for known in package["vulns"]
    ]
    return int(bool(weak)), "\n".join(
        [*weak, f"{len(weak)} known weaknesses in {len(audited)} packages of {len(packages)}"]
    )


if __name__ == "__main__":
    run(main)
