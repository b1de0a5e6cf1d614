"""What dropout does to moments and gradients, against masked samples and the paper's formulas."""

import numpy as np
import pytest

from selfnorm.theory.dropout import NO_DROPOUT, alpha_dropout, standard_dropout
from selfnorm.theory.selu import Selu


@pytest.mark.parametrize("dropout", [alpha_dropout(Selu(), 0.1), alpha_dropout(Selu(), 0.3, mu=-0.3, nu=2.0),
                                     standard_dropout(0.2), NO_DROPOUT])  # fmt: skip
def test_dropout_moves_moments_and_gradients_as_masked_samples_do(dropout) -> None:
    rng, n, mean, variance = np.random.default_rng(4), 1_000_000, 0.4, 1.7
    kept = rng.random(n) >= dropout.rate
    x = dropout.a * np.where(kept, rng.normal(mean, np.sqrt(variance), n), dropout.low) + dropout.b
    after = dropout.moments(mean, variance)
    assert float(after[0]) == pytest.approx(x.mean(), abs=5 * x.std() / np.sqrt(n))
    assert float(after[1]) == pytest.approx(x.var(), abs=5 * ((x - x.mean()) ** 2).std() / np.sqrt(n))
    slopes = (dropout.a * kept) ** 2
    assert dropout.gain == pytest.approx(slopes.mean(), abs=5 * slopes.std() / np.sqrt(n) + 1e-12)


@pytest.mark.parametrize("target", [(0.0, 1.0), (-0.3, 2.0)])
def test_alpha_dropout_keeps_its_target_and_has_the_papers_factors(target) -> None:
    (mu, nu), f, keep = target, Selu(), 0.95
    dropout, low = alpha_dropout(f, 0.05, mu=mu, nu=nu), -1.7580993408473766  # Paper: -lambda alpha
    np.testing.assert_allclose(dropout.moments(mu, nu), (mu, nu), rtol=1e-12, atol=1e-15)
    assert dropout.a == pytest.approx((nu / (keep * (nu + (1 - keep) * (low - mu) ** 2))) ** 0.5, rel=1e-12)
    assert dropout.b == pytest.approx(mu - dropout.a * (keep * mu + (1 - keep) * low), rel=1e-12)


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_senseless_rate_is_refused(rate) -> None:
    for made in (standard_dropout, lambda rate: alpha_dropout(Selu(), rate)):
        with pytest.raises(ValueError, match=f"dropout rate is {rate}, must be at least 0 and below 1"):
            made(rate)
