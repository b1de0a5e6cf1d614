"""Prove the paper's theorems by ball arithmetic: python scripts/prove.py [--out DIR]

Prints a table and writes theorems.json and theorems.md; exit code 1 if anything is not as expected.
"""

import json
from pathlib import Path

from selfnorm.commandline import Parser, interruptible, new_folder, run

with interruptible():
    from selfnorm.theory.proof import as_data, prove_all
    from selfnorm.theory.proof_text import markdown


def main() -> int:
    parser = Parser(description="Prove the paper's theorems by ball arithmetic.")
    parser.add_argument("--out", type=new_folder, default=Path("docs/theory"), help="folder for theorems.json and .md")
    out: Path = parser.parse_args().out
    data = as_data(prove_all())
    out.mkdir(parents=True, exist_ok=True)
    (out / "theorems.json").write_text(json.dumps(data, indent=2) + "\n")
    (out / "theorems.md").write_text(markdown(data))
    for verdict in data["paper"] + data["reach"]:
        bounds = f"{verdict['extremum']} in [{verdict['lower']}, {verdict['upper']}]"
        print(f"{verdict['outcome']:9} {verdict['name']:37} {verdict['statement']:15} {bounds}")
    basin, arrival = data["one_fixed_point_attracts"], data["layers_until_inside"]
    print(f"{'proven' if data['theorem_1']['proven'] else 'NOT PROVEN':9} Theorem 1")
    print(f"{'proven' if basin['proven'] else 'NOT PROVEN':9} one fixed point attracts {basin['start']}")
    print(f"layers until Theorem 1's domain: {arrival['sufficient']} suffice, {arrival['insufficient']} do not")
    print(f"all as expected: {data['as_expected']}; {data['seconds']} s; tables in {out}/theorems.md")
    return 0 if data["as_expected"] else 1


if __name__ == "__main__":
    run(main)
