"""Settings shared by the methods that read V."""

from dataclasses import dataclass

from gradmix.settings import later


@dataclass(frozen=True, kw_only=True)
class TargetConfig:
    """Settings shared by the methods that read V.

    Attributes:
        v_updates_statistics: whether V's passes update the batch norm running statistics used for
            prediction. Gradients are the same either way: in training each pass is normalised by
            its own batch.
    """

    v_updates_statistics: bool = later(True)
