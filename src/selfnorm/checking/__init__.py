"""One's own network: moments of every layer beside the theory, sentences about what is wrong; the same during training.

In: any `nn.Module` and a batch. Out: a `Report`; from `MomentMonitor`, moments in the trainer's own loggers.
The room is not called `check`, since `selfnorm.check` is the function.
"""
