"""MDDA [25]: activations of all domains normalised to the same distribution (§4.2)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gradmix.alignment.domain_norm import add_domain_norms, in_domain
from gradmix.batch_norm import batch_statistics
from gradmix.declarations.methods.mdda import DECLARATION, MDDAConfig
from gradmix.losses import loss, mean_entropy
from gradmix.method import Method
from gradmix.networks import Network
from gradmix.problem import TARGET_HEAD
from gradmix.sampling import Batch


class MDDA(Method):
    """Domain alignment layers, cross entropy on each source and V, entropy minimisation on U.

    The authors weight samples by inferred latent domains. Here domains are known: each source is
    one, and V and U together are the target's, so weights are 0 or 1 and the loss on inferred
    domains vanishes. The layers are placed as the authors do: in place of batch norm, after fully
    connected layers and on the class scores; also after convolutions if the network has no
    normalisation. Prediction uses the target's running statistics.
    """

    declaration = DECLARATION
    config: MDDAConfig

    @staticmethod
    def adapt(network: Network, sources: Sequence[str]) -> None:
        """Add domain norms to the network, with the target's domain first."""
        add_domain_norms(network, (TARGET_HEAD, *sources))

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on each source in its own domain, and on V and U in the target's."""
        labelled, images = self.required(target, "V"), self.required(unlabelled, "U")
        self.flat.zero()
        figures = {}
        for name, batch in zip(self.sources, sources, strict=True):
            with in_domain(self.network, name):
                figures[f"loss/{name}"] = self.backward(batch, 0)
        figures.update(self.backward_target(labelled, images))
        self.flat.set_sum()
        self.step()
        return figures

    def backward_target(self, labelled: Batch, images: Tensor) -> dict[str, float]:
        """Add the gradients of V's loss and U's weighted entropy, from one pass over both."""
        self.network.train()
        self.flat.collect_in(0)
        with batch_statistics(self.network, updated=self.v_updates_statistics):
            logits = self.network(torch.cat([labelled.images, images]), labelled.head)
        if not self.v_updates_statistics:
            # V and U share a pass; updating the statistics without V takes another one.
            with torch.no_grad():
                self.network(images, labelled.head)
        of_v, of_u = logits.split([len(labelled.images), len(images)])
        supervised = loss(of_v, labelled.labels, self.soft_direction)
        entropy = mean_entropy(of_u)
        value = supervised + self.config.entropy_weight * entropy
        value.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        return {"loss/V": self.figure(supervised), "entropy/U": self.figure(entropy)}
