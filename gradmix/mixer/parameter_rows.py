"""Gradients of one parameter from several passes, processed in blocks of limited size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradmix.gradients import gram_of, summable, weighted_sum

CHUNK, CPU_CHUNK = 2**22, 2**17
"""Elements of a row processed at a time. A CPU is fastest with data in its cache, a GPU with few
kernel launches."""


@dataclass(frozen=True)
class ParameterRows:
    """One gradient per pass, of the same shape and dtype; None if a pass missed the parameter.

    Sparse gradients (from `nn.Embedding(sparse=True)`) are restricted to the union of their
    indices, so that rows and mixture stay sparse; if any pass's gradient is dense, all are.

    Attributes:
        values: one tensor per row, of the parameter's shape, or [indices, ...] if sparse.
        shape: shape of the parameter.
        indices: sorted indices of the leading axis; None if the gradient is dense.
    """

    values: Sequence[Tensor | None]
    shape: torch.Size
    indices: Tensor | None = None

    def gram(self, scale: float = 1.0) -> list[Tensor]:
        """Dot products [rows, rows] of the gradients times `scale`, one per block, to be summed."""
        blocks = self._blocks()
        return [gram_of(block if scale == 1.0 else summable(block) * scale) for block in blocks]

    def mixed(self, weights: Sequence[float]) -> Tensor:
        """Weighted sum of the first `len(weights)` gradients, sparse if they are."""
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
        """The rows in blocks [rows, n]."""
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
    """The gradients of one parameter, or None if no pass reached it.

    Raises:
        ValueError: if the gradients are complex.
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

    Summed in double precision on the CPU, with one transfer per device and dtype.
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
    """A coalesced sparse gradient's values [indices, ...], zero at indices it lacks."""
    values = gradient.values()
    found = values.new_zeros(len(indices), *values.shape[1:])
    found[torch.searchsorted(indices, gradient.indices()[0].contiguous())] = values
    return found


def _pieces(row: Tensor) -> tuple[Tensor, ...]:
    return torch.split(row, CPU_CHUNK if row.device.type == "cpu" else CHUNK)


def _flat(tensor: Tensor, like: Tensor) -> Tensor:
    """A tensor flattened in the memory order of `like`."""
    strides = like.stride()
    order = sorted(range(like.ndim), key=lambda axis: -strides[axis])
    return tensor.permute(order).reshape(-1)
