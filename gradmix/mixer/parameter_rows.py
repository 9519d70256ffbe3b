"""Gradients of one parameter by several passes, as plain matrices of limited size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradmix.gradients import gram_of, summable, weighted_sum

CHUNK, CPU_CHUNK = 2**22, 2**17
"""Numbers of a row that are looked at together. A processor is faster with what its cache holds
than with fresh memory, a GPU with few kernels."""


@dataclass(frozen=True)
class ParameterRows:
    """One gradient per pass, of one shape and type; None where a pass does not reach the parameter.

    Sparse gradients (of `nn.Embedding(sparse=True)`) are kept to the union of their indices, so
    that rows and mixture stay sparse; if some pass's gradient is dense, all are.

    Attributes:
        values: [rows] of the parameter's shape, or [indices, ...] where the gradient is sparse.
        shape: the parameter's.
        indices: of the leading axis, sorted; None where the gradient is dense.
    """

    values: Sequence[Tensor | None]
    shape: torch.Size
    indices: Tensor | None = None

    def gram(self, scale: float = 1.0) -> list[Tensor]:
        """Dot products [rows, rows] of all gradients times `scale`, to be added up."""
        blocks = self._blocks()
        return [gram_of(block if scale == 1.0 else summable(block) * scale) for block in blocks]

    def mixed(self, weights: Sequence[float]) -> Tensor:
        """Weighted sum of the first `len(weights)` gradients, sparse where they are."""
        rows = ParameterRows(self.values[: len(weights)], self.shape, self.indices)
        like = next(value for value in self.values if value is not None)
        out = torch.empty_like(like)
        kind = torch.float32 if like.element_size() < 4 else like.dtype
        factors = torch.tensor(weights, dtype=kind, device=like.device)
        for block, place in zip(rows._blocks(out), _pieces(_flat(out, out)), strict=True):
            weighted_sum(block, factors, place)
        if self.indices is None:
            return out
        return torch.sparse_coo_tensor(
            self.indices[None], out, self.shape, is_coalesced=True, check_invariants=False
        )

    def _blocks(self, like: Tensor | None = None) -> Iterator[Tensor]:
        """The rows [rows, n] in pieces."""
        if like is None:
            like = next(value for value in self.values if value is not None)
        zero = torch.zeros((), dtype=like.dtype, device=like.device)
        rows = [
            _flat(zero.expand(like.shape) if value is None else value, like)
            for value in self.values
        ]
        for pieces in zip(*map(_pieces, rows), strict=True):
            yield torch.stack(pieces)


def parameter_rows(gradients: Sequence[Tensor | None]) -> ParameterRows | None:
    """The gradients of one parameter, or None where no pass has reached it.

    Raises:
        ValueError: if they are complex.
    """
    found = [gradient for gradient in gradients if gradient is not None]
    if not found:
        return None
    if found[0].is_complex():
        raise ValueError("expected real gradients, found complex ones; train their real views.")
    if not all(gradient.is_sparse and gradient.sparse_dim() == 1 for gradient in found):
        dense = [g.to_dense() if g is not None and g.is_sparse else g for g in gradients]
        return ParameterRows(dense, found[0].shape)
    gradients = [None if gradient is None else gradient.coalesce() for gradient in gradients]
    indices = torch.unique(torch.cat([g.indices()[0] for g in gradients if g is not None]))
    values = [None if g is None else _spread(g, indices) for g in gradients]
    return ParameterRows(values, found[0].shape, indices)


def summed_grams(
    layers: Sequence[Sequence[ParameterRows]], size: int, scale: float = 1.0
) -> list[list[list[float]]]:
    """Gram matrices [layers, size, size] of gradients times `scale`, summed over parameters.

    The sums are in double precision on the CPU, where everything arrives in one transfer a device.
    """
    pieces: dict[tuple[torch.device, torch.dtype], list[tuple[int, Tensor]]] = {}
    for i, layer in enumerate(layers):
        for gram in (gram for rows in layer for gram in rows.gram(scale)):
            pieces.setdefault((gram.device, gram.dtype), []).append((i, gram))
    sums = torch.zeros(len(layers), size, size, dtype=torch.float64)
    for found in pieces.values():
        places = torch.tensor([i for i, _ in found])
        sums.index_add_(0, places, torch.stack([gram for _, gram in found]).cpu().double())
    grams: list[list[list[float]]] = sums.tolist()
    return grams


def _spread(gradient: Tensor, indices: Tensor) -> Tensor:
    """A coalesced sparse gradient's values [indices, ...], zero where it has no index."""
    values = gradient.values()
    found = values.new_zeros(len(indices), *values.shape[1:])
    found[torch.searchsorted(indices, gradient.indices()[0].contiguous())] = values
    return found


def _pieces(row: Tensor) -> tuple[Tensor, ...]:
    return torch.split(row, CPU_CHUNK if row.device.type == "cpu" else CHUNK)


def _flat(tensor: Tensor, like: Tensor) -> Tensor:
    """All numbers of a tensor in the order in which `like` has them in memory."""
    strides = like.stride()
    order = sorted(range(like.ndim), key=lambda axis: -strides[axis])
    return tensor.permute(order).reshape(-1)
