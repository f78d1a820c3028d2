"""Statistics of evaluations: intervals, paired tests, power. Numpy only; every case has a defined outcome."""

from .distributions import normal_quantile, t_cdf, t_quantile
from .estimate import Estimate
from .intervals import clustered_mean, mean, share, t_mean
from .paired import holm, mcnemar, paired_difference
from .power import minimum_detectable_effect, required_n
from .resampling import bootstrap, permutation_test

__all__ = [
    "Estimate",
    "bootstrap",
    "clustered_mean",
    "holm",
    "mcnemar",
    "mean",
    "minimum_detectable_effect",
    "normal_quantile",
    "paired_difference",
    "permutation_test",
    "required_n",
    "share",
    "t_cdf",
    "t_mean",
    "t_quantile",
]
