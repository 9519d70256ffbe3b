"""Labels from the probabilities of a model's members."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from torch import Tensor


class LabelColumns(TypedDict):
    """Columns of a table of labels."""

    label: str
    confidence: float
    runner_up: str | None
    runner_up_confidence: float | None
    agreement: float | None


@dataclass(frozen=True, kw_only=True)
class Label:
    """A model's label for one file.

    Attributes:
        label: the class with the highest mean probability.
        confidence: that probability, in [0, 1].
        runner_up: the class with the second highest; None if there is only one class.
        runner_up_confidence: its mean probability.
        agreement: share of the members whose own first class is the label; None for a single
            member.
    """

    label: str
    confidence: float
    runner_up: str | None
    runner_up_confidence: float | None
    agreement: float | None

    @property
    def columns(self) -> "LabelColumns":
        """The label as columns of a table, in order."""
        return LabelColumns(
            label=self.label,
            confidence=self.confidence,
            runner_up=self.runner_up,
            runner_up_confidence=self.runner_up_confidence,
            agreement=self.agreement,
        )


def labels_of(by_member: Tensor, classes: Sequence[str]) -> list[Label]:
    """Labels of N files.

    Args:
        by_member: probabilities [R, N, C] of R members, for a clip the mean over its frames.
        classes: names, in the order of the last axis.
    """
    mean = by_member.mean(0)
    count = min(2, len(classes))
    values, places = mean.topk(count, dim=1)
    votes = (by_member.argmax(2) == places[:, 0]).float().mean(0).tolist()
    members = len(by_member)
    found = []
    for value, place, vote in zip(values.tolist(), places.tolist(), votes, strict=True):
        second = count > 1
        found.append(
            Label(
                label=classes[place[0]],
                confidence=value[0],
                runner_up=classes[place[1]] if second else None,
                runner_up_confidence=value[1] if second else None,
                agreement=vote if members > 1 else None,
            )
        )
    return found
