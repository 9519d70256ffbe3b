"""Settings of the losses on U, shared by several methods."""

from dataclasses import dataclass
from typing import get_args

from gradmix.declarations.choices import UnlabelledTerm
from gradmix.declarations.steering import SteeringConfig
from gradmix.declarations.target import TargetConfig


@dataclass(frozen=True, kw_only=True)
class SemiSupervisedConfig(SteeringConfig):
    """Settings of the loss on U, in addition to those of `SteeringConfig`.

    Attributes:
        unlabelled_weight: weight of the loss on U.
        unlabelled_term: where the loss on U enters, which the paper does not say. `mixed` makes it
            the pseudo-labelled source's second loss, or a separate source if there is none, and
            mixes its gradient like any other (Eq. 6); `added` adds it after mixing.

    Raises:
        ValueError: if the weight is negative or the term unknown.
    """

    unlabelled_weight: float = 1.0
    unlabelled_term: UnlabelledTerm = "mixed"

    def __post_init__(self) -> None:
        """Check the weight and the term."""
        super().__post_init__()
        refuse_negative_weight(self.unlabelled_weight)
        if self.unlabelled_term not in get_args(UnlabelledTerm):
            raise ValueError(
                f"unlabelled_term must be one of mixed, added. Found {self.unlabelled_term!r}."
            )


@dataclass(frozen=True, kw_only=True)
class JointSemiSupervisedConfig(TargetConfig):
    """Settings of joint training with a loss on U, in addition to those of `TargetConfig`.

    Attributes:
        unlabelled_weight: weight of the loss on U.

    Raises:
        ValueError: if the weight is negative.
    """

    unlabelled_weight: float = 1.0

    def __post_init__(self) -> None:
        """Check that the weight is not negative."""
        refuse_negative_weight(self.unlabelled_weight)


@dataclass(frozen=True, kw_only=True)
class ConfidentGuesses:
    """Settings of FixMatch; the threshold is the authors'.

    Attributes:
        threshold: minimum probability for a prediction to become a label.
        flip: whether views are mirrored with probability one half; for photographs.
    """

    threshold: float = 0.95
    flip: bool = False

    def check_threshold(self) -> None:
        """Check that the threshold is a probability.

        Raises:
            ValueError: if the threshold is not in [0, 1].
        """
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must be in [0, 1], found {self.threshold}.")


@dataclass(frozen=True, kw_only=True)
class SoftWeighting:
    """Settings of SoftMatch; defaults are USB's.

    Attributes:
        ema_momentum: momentum of the running averages.
        deviations: n; the Gaussian's deviation is that of the confidences divided by n.
        flip: whether views are mirrored with probability one half; for photographs.
    """

    ema_momentum: float = 0.999
    deviations: float = 2.0
    flip: bool = False

    def check_weighting(self) -> None:
        """Check the ranges of the settings.

        Raises:
            ValueError: if a setting is outside its range.
        """
        refuse_momentum(self.ema_momentum)
        if not self.deviations > 0:
            raise ValueError(f"deviations must be positive, found {self.deviations}.")


def refuse_negative_weight(weight: float) -> None:
    """Check that the weight of the loss on U is not negative.

    Raises:
        ValueError: if it is negative or NaN.
    """
    if not weight >= 0:
        raise ValueError(f"unlabelled_weight must not be negative, found {weight}.")


def refuse_momentum(momentum: float) -> None:
    """Check that the momentum of running averages is in range.

    Raises:
        ValueError: if it is not in [0, 1).
    """
    if not 0 <= momentum < 1:
        raise ValueError(f"ema_momentum must be in [0, 1), found {momentum}.")
