"""MME [33]: minimax entropy on U between the target's classifier and the features (§4.2)."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from gradmix.declarations.methods.mme import DECLARATION, MMEConfig
from gradmix.grouping import HEADS
from gradmix.losses import mean_entropy
from gradmix.method import Method
from gradmix.networks import Network, pooled
from gradmix.problem import TARGET_HEAD
from gradmix.sampling import Batch

TEMPERATURE = 0.05
"""Temperature of the cosine head. Not a setting, as the head is built before settings are known and
rebuilt for prediction; the authors' code uses this value on all their data."""


class CosineHead(nn.Module):
    """Logits W f / (|f| T): a class is a direction, and the norm of the features is ignored.

    Args:
        weight: W [classes, features]; not normalised, as in the authors' code.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach().clone())

    def forward(self, found: Tensor) -> Tensor:
        """Logits [B, classes] of the trunk's output; f is a map's mean over space."""
        directions = functional.normalize(pooled(found))
        return functional.linear(directions, self.weight) / TEMPERATURE


class MME(Method):
    """Two steps per mini-batch: cross entropy on S_1 and V, then minimax entropy on U.

    In the second step the target's head raises the mean entropy H of its predictions on U, which
    pulls class directions towards U, and the trunk lowers it, which clusters U around them. Both
    steps share one momentum buffer. Only sources with the target's label space are read.

    Unlike the authors' code, which averages over labelled samples of both domains, the means of S_1
    and V are added, as in every method here; U's mini-batch is the size of a source's, not twice
    that; momentum is plain, without weight decay, and all layers share one learning rate.
    """

    declaration = DECLARATION
    config: MMEConfig

    @staticmethod
    def adapt(network: Network, sources: Sequence[str]) -> None:
        """Replace the target's linear head by a cosine head with the same weights."""
        name = f"{HEADS}.{TARGET_HEAD}"
        weight = network.get_submodule(name).get_parameter("weight")
        network.set_submodule(name, CosineHead(weight))

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on each source and V, and one on U."""
        images = self.required(unlabelled, "U")
        named = dict(zip(self.sources, sources, strict=True))
        labelled = self.required(target, "V")
        losses = self.descend(named, labelled, rate_factor=self.config.rate_factor)
        return {**losses, "entropy/U": self.step_on_entropy(images)}

    def step_on_entropy(self, images: Tensor) -> float:
        """Take the second step, on images [B, C, H, W] of U; return H in nats before it."""
        self.network.train()
        self.flat.zero()
        self.flat.collect_in(0)
        logits = self.network(images, TARGET_HEAD)
        entropy = mean_entropy(logits)
        (-self.config.entropy_weight * entropy).backward()  # type: ignore[no-untyped-call]
        self.flat.set_sum()
        # Gradient reversal: the trunk minimises what the head maximises.
        self.flat.gradient[: self.flat.heads.start].neg_()
        self.step(self.config.rate_factor)
        return self.figure(entropy)
