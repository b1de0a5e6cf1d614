"""Prove the paper's theorems by ball arithmetic: python scripts/prove.py [--out DIR]

Prints the verdicts and writes theorems.md; exit code 1 if anything is not as expected.
"""

from pathlib import Path

from selfnorm.commandline import Parser, interruptible, new_folder, run

with interruptible():
    from selfnorm.runs.files import write_atomically
    from selfnorm.theory.proof import prove_all
    from selfnorm.theory.proof_text import enclosure, markdown


def main() -> int:
    parser = Parser(description="Prove the paper's theorems by ball arithmetic.")
    parser.add_argument("--out", type=new_folder, default=Path("docs/theory"), help="folder for theorems.md")
    out: Path = parser.parse_args().out
    proof = prove_all()
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "theorems.md", markdown(proof))
    for verdict in proof.paper + proof.limits:
        statement, extremum = verdict.statement, verdict.extremum
        bounds = ", ".join(enclosure(extremum.lower, extremum.upper))
        print(f"{verdict.outcome:9} {statement.name:37} {statement!s:15} extremum in [{bounds}]")
    theorem_1 = "proven" if proof.theorem_1 else "NOT PROVEN"
    print(f"{theorem_1:9} Theorem 1; all as expected: {proof.as_expected}; tables in {out}/theorems.md")
    return 0 if proof.as_expected else 1


if __name__ == "__main__":
    run(main)
