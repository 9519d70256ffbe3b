"""GradMix in your own training loop, with any module and any optimiser."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from gradmix.batch_norm import batch_statistics
from gradmix.declarations.choices import Grouping, Opposed
from gradmix.declarations.steering import refuse_unknown
from gradmix.grouping import Layer, trunk_layers
from gradmix.layer_weights import Gram, importance_of, solve_layers, solve_named
from gradmix.mixer.arguments import TARGET, Scaler, places_in, source_names
from gradmix.mixer.combining import add_mixture, fill_gradients, grams_of
from gradmix.mixer.leftovers import Leftovers
from gradmix.mixer.passes import Memory, Passes, unwrapped
from gradmix.mixer.proposing import Proposal, proposal, refuse_out_of_range, smoothed
from gradmix.mixer.rate_scaling import RateScaling
from gradmix.mixer.step import Step
from gradmix.mixing import learning_rate_scale
from gradmix.solving.solvers import Solution, solver_named


class Mixer:
    """Mixes the gradients of several sources towards a target's, layer by layer (§3.3, §3.4).

    Run the forward and backward passes of each source and of the target in separate with-blocks.
    `mix` then writes `p.grad`, and eta scales the learning rate of the optimiser's next step:

        mixer = Mixer(model, sources=["web", "sport"])
        for web, sport, v in batches:
            optimizer.zero_grad()
            with mixer.source("web"):
                loss(model(web)).backward()
            with mixer.source("sport"):
                loss(model(sport)).backward()
            with mixer.target():
                loss(model(v)).backward()
            step = mixer.mix()
            optimizer.step()

    Args:
        model: any module, also compiled or in DistributedDataParallel; gradients of modules outside
            it are not touched.
        sources: names of the sources.
        beta: rate of saturation of eta (Eq. 9), not negative.
        gamma: shift of eta (Eq. 9).
        adaptive: whether eta scales the learning rate; if not, eta = 1.
        grouping: what counts as a layer: `layer`, `tensor` or `model`.
        solver: solver of the layer weights (Eq. 6).
        opposed: what to do in a layer where no source's gradient points along the target's: use
            the least bad source alone (`vertex`) or skip the sources (`skip`).
        heads: the last layers, which get the sum of the gradients instead of the mixture (Eq. 6
            excludes them): names of modules or parameters, or patterns such as `*.head`.
        only: the parameters these passes train, named likewise; empty means all.
        v_trains_head: whether the target's gradient also trains the heads.
        v_trains_trunk: whether the target's gradient is also added to the mixture.
        v_updates_statistics: whether the target's pass updates the running statistics of batch
            norm.
        every: number of steps between weight updates; the steps in between need no target pass.
        memory: where gradients of finished passes are kept: `device`, or `cpu` for main memory.

    Raises:
        ValueError: if an argument is invalid.
    """

    def __init__(
        self,
        model: nn.Module,
        sources: Sequence[str],
        *,
        beta: float = 5.0,
        gamma: float = 0.4,
        adaptive: bool = True,
        grouping: Grouping = "layer",
        solver: str = "exact",
        opposed: Opposed = "vertex",
        heads: Sequence[str] = (),
        only: Sequence[str] = (),
        v_trains_head: bool = True,
        v_trains_trunk: bool = False,
        v_updates_statistics: bool = False,
        every: int = 1,
        memory: Memory = "device",
    ) -> None:
        self.sources = source_names(sources)
        if every < 1:
            raise ValueError(f"every must be at least 1. Found {every}.")
        refuse_unknown(opposed)
        learning_rate_scale(0.0, beta, gamma)
        self.beta, self.gamma, self.adaptive, self.every = beta, gamma, adaptive, every
        self.v_trains_head, self.v_trains_trunk = v_trains_head, v_trains_trunk
        self.v_updates_statistics = v_updates_statistics
        self._passes = Passes(model, places_in(unwrapped(model), only, "only"), memory)
        self.grouping: Grouping = grouping
        self.opposed: Opposed = opposed
        self.heads = places_in(unwrapped(model), heads, "heads")
        self._layers()
        self._solver = solver_named(solver)
        self._scaling = RateScaling(self._concerns, self._refuse_step)
        self._steps = 0
        self._known: dict[str, Solution] = {}
        self._gram: Gram | None = None
        self._leftovers = Leftovers()

    def source(self, name: str) -> AbstractContextManager[None]:
        """Collect the passes over a source's mini-batch; gradients of several passes add up.

        Raises:
            ValueError: if there is no such source.
            RuntimeError: if another pass is open, or no backward pass runs in the block.
        """
        if name not in self.sources:
            raise ValueError(f"source must be one of {', '.join(self.sources)}. Found {name!r}.")
        return self._collect(name, f"mixer.source({name!r})")

    @contextmanager
    def target(self) -> Iterator[None]:
        """Collect the passes over the target's labelled mini-batch (V); several add up.

        Raises:
            RuntimeError: as for `source`.
        """
        updated = self.v_updates_statistics
        with (
            self._collect(TARGET, "mixer.target()"),
            batch_statistics(self._passes.module, updated=updated),
        ):
            yield

    @property
    def due(self) -> bool:
        """Whether the next `mix` updates the weights, which needs a pass over the target."""
        return self._due(self._layers())

    @torch.no_grad()
    def mix(self, scaler: Scaler | None = None) -> Step:
        """Add the mixed gradients to `p.grad`, and scale the optimiser's next step by eta.

        Gradients that no pass reached stay None. Gradients from passes outside the with-blocks are
        kept and added to.

        Args:
            scaler: the GradScaler of the losses, before its `unscale_`. If a gradient has
                overflowed, `p.grad` is filled with infinity so that `scaler.step` skips the step.

        Raises:
            RuntimeError: if a data set has had no pass, or `p.grad` still holds the last mixture.
            FloatingPointError: if a gradient contains NaN or Inf and there is no scaler.
        """
        scaler = scaler if scaler is not None and scaler.is_enabled() else None
        layers = self._layers()
        due = self._due(layers)
        self._passes.require("mixer.mix()", (*self.sources, TARGET) if due else self.sources)
        self._leftovers.refuse(self._passes.parameters())
        try:
            if due:
                self._known = self._solved(layers, 1.0 if scaler is None else scaler.get_scale())
        except FloatingPointError as error:
            return self._overflow(error, scaler)
        rho = self._rho_scale(layers) * importance_of([*self._known.values()])
        eta = learning_rate_scale(rho, self.beta, self.gamma) if self.adaptive else 1.0
        add_mixture(self._passes, self._weights(layers))
        self._leftovers.remember(self._passes.parameters())
        self._steps += 1
        self._scaling.expect(eta)
        return Step(self._known, self.sources, rho, eta)

    @torch.no_grad()
    def propose(self, *, floor: float = 0.0, smoothing: float = 0.0) -> Proposal:
        """Compute sampling probabilities for the sources from the passes so far.

        For training that samples sources instead of mixing gradients: the expected gradient of a
        batch drawn with these probabilities is what `mix` computes with `grouping="model"`.
        `p.grad` is not changed.

        Args:
            floor: minimum probability of every source, at most 1 / k.
            smoothing: weight, in [0, 1), of the dot products from earlier calls.

        Raises:
            ValueError: if floor or smoothing is out of range.
            RuntimeError: if a data set has had no pass.
            FloatingPointError: if a gradient contains NaN or Inf.
        """
        refuse_out_of_range(len(self.sources), floor, smoothing)
        names = (*self.sources, TARGET)
        self._passes.require("mixer.propose()", names)
        whole = [Layer("model", tuple(n for layer in self._layers() for n in layer.parameters))]
        (gram,) = grams_of(self._passes, whole, names)
        self._passes.forget()
        gram = smoothed(self._gram, gram, smoothing)
        solution = solve_named("model", names, gram, self._solver)
        self._gram = gram
        return proposal(self.sources, solution, floor)

    def discard(self) -> None:
        """Drop the passes since the last step, to abandon a mini-batch."""
        self._passes.refuse_inside("mixer.discard()")
        self._passes.forget()

    def state_dict(self) -> dict[str, Any]:
        """State of the mixer in plain types: current weights, step count, dot products.

        Raises:
            RuntimeError: if there are unmixed passes, which the state cannot include.
        """
        self._passes.refuse_unmixed("mixer.state_dict()")
        known = {name: asdict(solution) for name, solution in self._known.items()}
        sources = [*self.sources]
        return {"sources": sources, "steps": self._steps, "layers": known, "gram": self._gram}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`.

        Raises:
            ValueError: if the state belongs to other sources.
        """
        if tuple(state["sources"]) != self.sources:
            raise ValueError(
                f"expected a state for the sources {', '.join(self.sources)}, found one for "
                f"{', '.join(state['sources'])}; build the Mixer with the same sources."
            )
        self._passes.forget()
        self._steps, self._gram = state["steps"], state["gram"]
        self._known = {
            name: Solution(**{**saved, "weights": tuple(saved["weights"])})
            for name, saved in state["layers"].items()
        }

    @contextmanager
    def _collect(self, name: str, shown: str) -> Iterator[None]:
        # An eta from an earlier mix must not scale this step.
        self._scaling.expect(None)
        with self._passes.collect(name, shown):
            yield

    def _rho_scale(self, layers: Sequence[Layer]) -> float:
        """Number of layers under grouping `layer`, relative to the current grouping."""
        return len(self._layers("layer")) / len(layers)

    def _layers(self, grouping: Grouping | None = None) -> list[Layer]:
        """The layers, restricted to currently trainable parameters.

        Raises:
            ValueError: if no layer is left.
        """
        trained = self._passes.parameters()
        layers = trunk_layers(self._passes.module, grouping or self.grouping, self.heads)
        kept = [
            Layer(layer.name, tuple(name for name in layer.parameters if name in trained))
            for layer in layers
        ]
        if not any(layer.parameters for layer in kept):
            raise ValueError(
                "expected a trainable parameter outside the heads, found none; unfreeze the model "
                "or name fewer heads."
            )
        return [layer for layer in kept if layer.parameters]

    def _due(self, layers: Sequence[Layer]) -> bool:
        names = {layer.name for layer in layers}
        return self._steps % self.every == 0 or names != self._known.keys()

    def _solved(self, layers: Sequence[Layer], loss_scale: float) -> dict[str, Solution]:
        """Weights of every layer (Eq. 6), from the gradients of the unscaled losses."""
        names, passes = [layer.name for layer in layers], (*self.sources, TARGET)
        grams = grams_of(self._passes, layers, passes, 1.0 / loss_scale)
        found = solve_layers(names, passes, grams, self._solver, self.opposed)
        return dict(zip(names, found, strict=True))

    def _weights(self, layers: Sequence[Layer]) -> dict[str, dict[str, float]]:
        """Weight of each pass for each parameter: Eq. 7 in the layers, 1 in the heads."""
        found = {}
        of_layer = {name: self._known[layer.name] for layer in layers for name in layer.parameters}
        for name in self._passes.parameters():
            solution = of_layer.get(name)
            of_sources = [1.0] * len(self.sources) if solution is None else solution.weights
            found[name] = dict(zip(self.sources, of_sources, strict=True))
            if self.v_trains_head if solution is None else self.v_trains_trunk:
                found[name][TARGET] = 1.0
        return found

    def _overflow(self, error: FloatingPointError, scaler: Scaler | None) -> Step:
        """Make the scaler skip this step, or raise if there is no scaler."""
        self._passes.forget()
        if scaler is None:
            raise FloatingPointError(
                f"{error} With a GradScaler, call mixer.mix(scaler)."
            ) from error
        fill_gradients(self._passes.parameters(), torch.inf)
        self._leftovers.remember(self._passes.parameters())
        return Step({}, self.sources, torch.nan, 1.0, skipped=True)

    def _refuse_step(self, mixed: bool) -> None:
        """Refuse an optimiser step before `mix`, or after its gradients were cleared."""
        self._passes.refuse_unmixed("optimizer.step()")
        if mixed and all(p.grad is None for p in self._passes.parameters().values()):
            raise RuntimeError(
                "optimizer.step() found none of the gradients that mixer.mix() wrote; call "
                "optimizer.zero_grad() before mixer.mix(), not after it."
            )

    def _concerns(self, optimizer: Optimizer) -> bool:
        """Whether an optimiser trains any of the mixed parameters."""
        own = {id(parameter) for parameter in self._passes.parameters().values()}
        return any(id(p) in own for group in optimizer.param_groups for p in group["params"])
