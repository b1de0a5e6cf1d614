"""The configuration of a job: keys with their ranges, rules between them, and one-line errors.

In: a composed configuration as plain dictionaries. Out: a frozen `Job`. Reads no file but
that of a user's own data, and imports no torch.
"""

from selfnorm.config.activation import Activation, Custom, PlainActivation, Selu, Tailored
from selfnorm.config.groups import AnyDropout, Batch, Dropout, NoDropout, Sgd, Trainer
from selfnorm.config.job import Job, identity
from selfnorm.config.parsing import ConfigError, parse_job
from selfnorm.config.values import MAX_DEPTH
