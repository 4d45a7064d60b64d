"""A stack of seeds: their network, its optimizer, and each seed's view of both."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from worker.training.data.split import Splits
from worker.training.model.compact_vocabulary import CompactVocabulary
from worker.training.model.precision import create_compute_weights
from worker.training.multi_seed.forward import StackedForward, compile_blocks
from worker.training.multi_seed.layers import get_seed_weights, load_seed_weights, stack_networks
from worker.training.multi_seed.seed import SeedRun
from worker.training.network_setup import apply_mixout, build_network, initialize_head
from worker.training.optim.optimizer import Optimizer, OptimizerState
from worker.training.resume_state import ResumeState


class SeedStack:
    """Seeds at the same step of the same recipe; seed k has index k in every tensor."""

    def __init__(
        self,
        seeds: Sequence[SeedRun],
        splits: Splits,
        check_stop: Callable[[], None],
        *,
        compiled: bool = False,
    ) -> None:
        """Build the stack. Raise NotStackable if the encoder does not allow it.

        ``check_stop`` is called while heads are fitted and may raise.
        """
        recipe = seeds[0].spec.recipe
        self.seeds = list(seeds)
        self.step = seeds[0].history.step
        """Number of completed steps."""
        self.network = stack_networks(self._iterate_networks(splits, check_stop), len(self.seeds))
        self.splits = self.vocabulary.renumber_splits(splits)
        self._initial_weights = apply_mixout(self.network, recipe)
        self.optimizer = Optimizer(self.network, recipe, self._initial_weights)
        self.optimizer.allocate_moments()
        self._precision, self._compiled = recipe.precision, compiled
        self._prepare_passes()

    def _iterate_networks(
        self, splits: Splits, check_stop: Callable[[], None]
    ) -> Iterator[PreTrainedModel]:
        """Build the seeds' networks one at a time, cut to the vocabulary of the first one."""
        for index, seed in enumerate(self.seeds):
            network = build_network(seed.spec, splits, seed.fitted_head)
            if seed.fitted_head is None:
                seed.fitted_head = initialize_head(network, seed.spec, splits, check_stop)
            if index == 0:
                self.vocabulary = CompactVocabulary.from_texts(
                    network, [split.text for split in splits.get_named_splits().values()]
                )
            self.vocabulary.cut_embeddings(network)
            yield network

    def _prepare_passes(self) -> None:
        self.compute_weights = create_compute_weights(self.network, self._precision)
        self.forward = StackedForward(self.compute_weights.module)
        if self._compiled:
            compile_blocks(self.compute_weights.module)

    def load_weights(self, weights: Sequence[Mapping[str, Tensor]]) -> None:
        """Load each seed's weights, in the order of the seeds."""
        for index, seed_weights in enumerate(weights):
            load_seed_weights(self.network, index, seed_weights)
        self.compute_weights.refresh_replica()

    def resume_from(self, states: Sequence[ResumeState]) -> None:
        """Load each seed's weights and moments, in the order of the seeds."""
        self.load_weights([state.weights for state in states])
        self.optimizer.load_state_dict(
            _stack_optimizer_states([state.optimizer for state in states])
        )

    def get_seed_view(self, seed: SeedRun) -> "SeedView":
        """Return one seed's view of the stack."""
        return SeedView(self, self.seeds.index(seed))

    def copy_state(self, seed: SeedRun) -> ResumeState:
        """Copy the seed's resume state to the CPU."""
        view = self.get_seed_view(seed)
        optimizer_state = view.optimizer.state_dict()
        return ResumeState(
            weights={name: _copy_to_cpu(tensor) for name, tensor in view.state_dict().items()},
            best_weights=seed.best.weights,
            best_step=seed.best.step,
            best_score=seed.best.score,
            optimizer=OptimizerState(
                updates=optimizer_state["updates"],
                exp_avg=[_copy_to_cpu(moment) for moment in optimizer_state["exp_avg"]],
                exp_avg_sq=[_copy_to_cpu(moment) for moment in optimizer_state["exp_avg_sq"]],
            ),
            history=seed.history,
        )

    def drop_seeds(self, dropped: Sequence[SeedRun]) -> None:
        """Remove these seeds from all tensors; the others are unchanged."""
        remaining = [index for index, seed in enumerate(self.seeds) if seed not in dropped]
        self.seeds = [self.seeds[index] for index in remaining]
        selection = torch.tensor(remaining, device=self.network.device, dtype=torch.int64)
        self.optimizer.zero_grad()
        del self.compute_weights, self.forward  # a replica is built anew, not cut
        for tensor in self.iterate_tensors():
            # in place, so that every reference to the tensor sees the change
            tensor.data = tensor.data.index_select(0, selection)
        self._prepare_passes()

    def iterate_tensors(self) -> Iterator[Tensor]:
        """Iterate over all tensors with a seed dimension: parameters, initial weights, moments."""
        yield from self.network.parameters()
        yield from self._initial_weights.values()
        state = self.optimizer.state_dict()
        yield from state["exp_avg"]
        yield from state["exp_avg_sq"]


class SeedView:
    """One seed's slices of a stack, saved and restored like a single network."""

    def __init__(self, stack: SeedStack, index: int) -> None:
        self._stack, self._index = stack, index

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state dict of the seed's network, as views of the stack's tensors."""
        return get_seed_weights(self._stack.network, self._index)

    @property
    def optimizer(self) -> "OptimizerView":
        """The seed's view of the optimizer."""
        return OptimizerView(self._stack.optimizer, self._index)


class OptimizerView:
    """One seed's slices of a stack's optimizer state."""

    def __init__(self, optimizer: Optimizer, index: int) -> None:
        self._optimizer, self._index = optimizer, index

    def state_dict(self) -> OptimizerState:
        """Return the state of a single run's optimizer, as views of the stack's tensors."""
        state = self._optimizer.state_dict()
        return OptimizerState(
            updates=state["updates"],
            exp_avg=[moment[self._index] for moment in state["exp_avg"]],
            exp_avg_sq=[moment[self._index] for moment in state["exp_avg_sq"]],
        )


def _copy_to_cpu(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True)


def _stack_optimizer_states(states: Sequence[OptimizerState]) -> OptimizerState:
    """Combine the states of single runs, which are all at the same step."""
    first_moments = zip(*(state["exp_avg"] for state in states), strict=True)
    second_moments = zip(*(state["exp_avg_sq"] for state in states), strict=True)
    return OptimizerState(
        updates=states[0]["updates"],
        exp_avg=[torch.stack(moments) for moments in first_moments],
        exp_avg_sq=[torch.stack(moments) for moments in second_moments],
    )
