"""Beyond the paper: how far its statements reach, true up to one number and false from the next on.

Out: `REACH`, statements like those of `statements.PAPER`, each with what our proof must find.

Legend: mu, nu mean and variance of the activations; omega, tau sum of a unit's weights and of their squares.
"""

from dataclasses import replace

from selfnorm.theory.statements import CONTRACTS, GROWS_A, GROWS_B, SHRINKS, TENTH, Range, Statement, interval, rational


def _from_nu(statement: Statement, nu: str, expected: bool) -> Statement:
    region = replace(statement.region, nu=(rational(nu), statement.region.nu[1]))
    return statement.but(name=f"{statement.name}, from nu = {nu}", region=region, expected=expected)


def _to_nu(statement: Statement, nu: str, expected: bool) -> Statement:
    region = replace(statement.region, nu=(statement.region.nu[0], rational(nu)))
    return statement.but(name=f"{statement.name}, to nu = {nu}", region=region, expected=expected)


def _to_tau(statement: Statement, tau: str, expected: bool) -> Statement:
    region = replace(statement.region, tau=(statement.region.tau[0], rational(tau)))
    return statement.but(name=f"{statement.name}, to tau = {tau}", region=region, expected=expected)


_NEAR_ZERO = Range(TENTH, TENTH, interval("0.00005", "0.00005"), interval("0.8", "0.8"))

REACH = (
    _from_nu(CONTRACTS, "0.7641", True),
    _from_nu(CONTRACTS, "0.7639", False),
    _to_tau(CONTRACTS, "1.268", True),
    _to_tau(CONTRACTS, "1.269", False),
    _from_nu(SHRINKS, "2.498", True),
    _from_nu(SHRINKS, "2.497", False),
    _to_nu(GROWS_A, "0.4074", True),
    _to_nu(GROWS_A, "0.4075", False),
    _to_nu(GROWS_B, "0.6658", True),
    _to_nu(GROWS_B, "0.6660", False),
    GROWS_A.but(
        name="Theorem 3, nu near 0",
        region=_NEAR_ZERO,
        expected=False,
        note="a mean of 0.01 keeps so small a variance on the side of slope lambda",
    ),
)
