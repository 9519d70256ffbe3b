"""UPGrad (arXiv 2406.16232): V as one more task; the step conflicts with no task's gradient."""

import math
from collections.abc import Sequence

from torch import Tensor

from gradmix.declarations.methods.upgrad import DECLARATION, UPGradConfig
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.method import Method
from gradmix.networks import Network
from gradmix.sampling import Batch
from gradmix.solving.conflicts import upgrad


class UPGrad(Method):
    """Sources and V as equal tasks: GradMix with V taking part instead of steering.

    The trunk's step is the mean of all gradients, each projected onto the cone of directions along
    which no loss rises. Unlike in TorchJD, Gram matrices are neither scaled nor regularised, since
    the cone problems are solved by active sets. A head gets the plain sum of the gradients of the
    data that use it, as in GradMix, even where V shares it with a source.
    """

    declaration = DECLARATION
    config: UPGradConfig

    def __init__(
        self,
        network: Network,
        sources: Sequence[str],
        optimiser: OptimiserConfig,
        config: UPGradConfig,
    ) -> None:
        rows = len(sources) + 1
        super().__init__(network, sources, optimiser, config, rows, config.grouping)

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on a mini-batch of each source and V."""
        labelled = self.required(target, "V")
        self.flat.zero()
        losses = {
            f"loss/{name}": self.backward(batch, row)
            for row, (name, batch) in enumerate(zip(self.sources, sources, strict=True))
        }
        losses["loss/V"] = self.backward_v(labelled, len(self.sources))
        weights = self.weights()
        self.flat.set_weighted(weights, len(self.sources) + 1)
        self.step()
        return {**losses, **self._telemetry(weights)}

    def weights(self) -> list[list[float]]:
        """Weights of the sources and V in every layer.

        Raises:
            FloatingPointError: if a gradient contains NaN or Inf.
        """
        found = []
        for layer, gram in zip(self.flat.layer_names, self.flat.grams(), strict=True):
            for i, name in enumerate([*self.sources, "V"]):
                if not math.isfinite(gram[i][i]):
                    raise FloatingPointError(
                        f"the gradient of {name} in layer {layer} contains NaN or Inf; lower the "
                        "learning rate or check the data."
                    )
            found.append(upgrad(gram))
        return found

    def _telemetry(self, weights: Sequence[Sequence[float]]) -> dict[str, float]:
        """The weights of every layer, as metrics to log."""
        return {
            f"weight/{layer}/{name}": weight
            for layer, of_layer in zip(self.flat.layer_names, weights, strict=True)
            for name, weight in zip([*self.sources, "V"], of_layer, strict=True)
        }
