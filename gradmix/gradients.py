"""Parameters as views of one vector, gradients as rows of one buffer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gradmix.declarations.choices import Grouping
from gradmix.grouping import trunk_layers
from gradmix.solving.batched import Solutions
from gradmix.solving.solvers import Solution


class FlatParameters:
    """A network's parameters in one vector [P], and gradients in one buffer [rows, P].

    The layers come first, in order, then the heads. Parameters are views of `vector`, so updating
    it trains the network. Each row of `gradients` accumulates the gradients of one pass, and
    `gradient` [P] holds their combination. Convolution weights are channels_last in memory.

    Args:
        network: trained in place; its last layers are under `heads`.
        rows: number of passes whose gradients are kept separate.
        grouping: which trunk parameters form a layer.
    """

    def __init__(self, network: nn.Module, rows: int, grouping: Grouping = "layer") -> None:
        parameters = dict(network.named_parameters())
        layers = trunk_layers(network, grouping)
        in_layers = {name for layer in layers for name in layer.parameters}
        heads = [name for name in parameters if name not in in_layers]
        sizes = {name: parameter.numel() for name, parameter in parameters.items()}

        self.layer_names = tuple(layer.name for layer in layers)
        self._parameters = [parameters[name] for layer in layers for name in layer.parameters] + [
            parameters[name] for name in heads
        ]
        self.segments: list[slice] = []
        start = 0
        for layer in layers:
            end = start + sum(sizes[name] for name in layer.parameters)
            self.segments.append(slice(start, end))
            start = end
        self.heads = slice(start, start + sum(sizes[name] for name in heads))

        first = self._parameters[0]
        self.vector = first.data.new_empty(self.heads.stop)
        self.gradient = torch.zeros_like(self.vector)
        self.gradients = self.vector.new_zeros(rows, self.heads.stop)
        self._adopt()

    def zero(self) -> None:
        """Zero all gradients."""
        self.gradients.zero_()

    def collect_in(self, row: int) -> None:
        """Make subsequent backward passes accumulate into this row."""
        for parameter, view in zip(self._parameters, self._gradient_views[row], strict=True):
            parameter.grad = view

    def grams(self) -> list[list[list[float]]]:
        """Gram matrices [L-1, rows, rows] of the layers' gradients."""
        grams: list[list[list[float]]] = self.gram_tensor().tolist()
        return grams

    def gram_tensor(self) -> Tensor:
        """The Gram matrices as one float64 tensor on the device."""
        grams = [gram_of(self.gradients[:, segment]) for segment in self.segments]
        return torch.stack(grams).double()

    def set_mixed(self, solutions: Sequence[Solution] | Solutions, head_rows: int) -> None:
        """Mix the source rows into `gradient`, layer by layer (the sum in Eq. 10).

        Args:
            solutions: weights of the first k rows, one solution per layer.
            head_rows: number of leading rows summed, unweighted, for the heads; a row is zero for
                heads its data does not use.
        """
        if isinstance(solutions, Solutions):
            self.set_weighted(solutions.weights.to(self.gradients), head_rows)
        else:
            self.set_weighted([solution.weights for solution in solutions], head_rows)

    def set_weighted(self, weights: Sequence[Sequence[float]] | Tensor, head_rows: int) -> None:
        """Mix the first k rows into `gradient` with weights [L-1, k]; heads as in `set_mixed`."""
        by_layer = weights if isinstance(weights, Tensor) else self.gradients.new_tensor(weights)
        k = by_layer.shape[1]
        for segment, layer_weights in zip(self.segments, by_layer, strict=True):
            weighted_sum(self.gradients[:k, segment], layer_weights, self.gradient[segment])
        torch.sum(self.gradients[:head_rows, self.heads], dim=0, out=self.gradient[self.heads])

    def set_sum(self, scale: float = 1.0) -> None:
        """Set `gradient` to the scaled sum of all rows (Eq. 1)."""
        torch.sum(self.gradients, dim=0, out=self.gradient)
        self.gradient.mul_(scale)

    def _adopt(self) -> None:
        """Copy the parameters into the vector and make them views of it."""
        self._gradient_views: list[list[Tensor]] = [[] for _ in self.gradients]
        start = 0
        for parameter in self._parameters:
            segment = slice(start, start + parameter.numel())
            start = segment.stop
            view = _shaped(self.vector[segment], parameter.shape)
            view.copy_(parameter.data)
            parameter.data = view
            for row, views in zip(self.gradients, self._gradient_views, strict=True):
                views.append(_shaped(row[segment], parameter.shape))


def gram_of(rows: Tensor) -> Tensor:
    """Dot products [rows, rows] of gradients [rows, n], in at least single precision."""
    rows = summable(rows)
    return rows @ rows.T


def weighted_sum(rows: Tensor, weights: Tensor, out: Tensor) -> None:
    """Write the sum of gradients [k, n] weighted by [k] to `out` [n] (the sum in Eq. 10)."""
    if summable(rows) is rows:
        torch.mv(rows.T, weights, out=out)
    else:
        out.copy_(torch.mv(summable(rows).T, weights))


def summable(rows: Tensor) -> Tensor:
    """The rows, upcast to single precision if they are half precision."""
    return rows if rows.element_size() >= 4 else rows.float()


def _shaped(flat: Tensor, shape: torch.Size) -> Tensor:
    """A view of a flat segment in a parameter's shape, channels_last for convolutions."""
    if len(shape) != 4:
        return flat.view(shape)
    outputs, inputs, height, width = shape
    return flat.view(outputs, height, width, inputs).permute(0, 3, 1, 2)
