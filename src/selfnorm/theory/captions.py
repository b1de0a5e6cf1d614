"""The page that explains the theory's pictures and links what stands beside them.

Out: `README`, Markdown, written next to the pictures by `scripts/theory.py`.
"""

README = """# The theory

Made by `make theory`. mu, nu: mean and variance of a layer's activations; omega, tau: sum of a unit's weights and of
their squares. [The theorems](theorems.md), proven or refuted; [which activations have a fixed point](activations.md);
[the prediction laid over measured layers](prediction/report.md).

![Arrows from (mu, nu) towards the next layer's mean and variance](map.png)

One layer moves mean and variance along the arrows (the paper's Figure 2). Every arrow leads to the fixed point (0, 1);
the green box is the domain that Theorem 1 proves to be kept and contracted.

![SELU with its four required properties, beside ReLU and ELU](selu.png)

What the paper asks of an activation. Both signs let the mean be 0, the slope above one raises a variance that is too
small, saturation damps one that is too large, and continuity puts a fixed point in between.

![For which (mu, nu) a SELU exists, and how fast it attracts](existence.png)

Which mean and variance some alpha and lambda can keep, under three kinds of weights. Colour: the part of a small
deviation that is left after one layer; white, hatched: the fixed point exists and repels; grey: there is no such SELU.
"""
