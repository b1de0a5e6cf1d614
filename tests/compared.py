"""The kinds of network that the paper compares, as command-line overrides."""

NETWORKS = {
    "snn": (),
    "snn, alpha dropout": ("dropout=alpha", "dropout.rate=0.2", "dropout.input_rate=0.1"),
    "another fixed point": ("activation.fixed_point=[-0.1,2.0]", "dropout=alpha", "dropout.rate=0.2"),
    "learned constants": ("activation.learn=true",),
    "learned constants, residual": ("activation.learn=true", "model=residual"),
    "standard dropout": ("activation=relu", "dropout=standard", "dropout.rate=0.3"),
    "batch after": ("activation=relu", "normalization=batch"),
    "batch before": ("activation=relu", "normalization=batch", "normalization.position=before"),
    "layer": ("activation=relu", "normalization=layer"),
    "weight": ("activation=relu", "normalization=weight"),
    "residual": ("activation=relu", "model=residual"),
    "highway": ("activation=relu", "model=highway"),
    "highway, weight": ("activation=tanh", "model=highway", "normalization=weight"),
}
