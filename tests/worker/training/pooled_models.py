"""Pooled heads written again in plain torch, and runs to compare with them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from shared.domain.task import Task, TaskType
from tests.worker.training.multi_seed.stacks import TrainedRuns
from tests.worker.training.runs import (
    make_recipe,
    make_review_rows,
    make_spec,
    make_task,
    write_tsv,
)
from worker.training.model.transformers_logging import silence_transformers
from worker.training.spec import RunSpec

CHOICES = [
    (pooling, encoding)
    for encoding in ("joined", "separate", "aligned")
    for pooling in ("cls", "mean")
]
"""``pooling`` and ``pair_encoding``."""
TASKS: dict[TaskType, tuple[dict[str, object], dict[str, str], str]] = {
    TaskType.SINGLE_LABEL: ({}, {"yes": "yes", "no": "no"}, "accuracy"),
    TaskType.MULTI_LABEL: (
        {"label_names": ["long", "no", "yes"], "positive_label": None},
        {"yes": "yes|long", "no": "no"},
        "f1_micro",
    ),
    TaskType.REGRESSION: (
        {"label_names": [], "positive_label": None},
        {"yes": "4.5", "no": "1"},
        "pearson",
    ),
}
"""Changes of the task of the reviews, its labels and its metric."""


def make_pair_spec(
    folder: Path,
    base: Path,
    *,
    pooling: str,
    pair_encoding: str,
    task_type: TaskType = TaskType.SINGLE_LABEL,
    recipe: dict[str, object] | None = None,
    **changes: object,
) -> RunSpec:
    """Return the spec of a run on 30 pairs of texts, of which some are truncated."""
    task_changes, label_of, metric = TASKS[task_type]
    header, *rows = make_review_rows(30, pairs=True)
    values: dict[str, object] = {
        "recipe": make_recipe(pooling=pooling, pair_encoding=pair_encoding, **recipe or {}),
        "task": make_task(
            type=task_type,
            text_column="text",
            text_pair_column="other",
            max_seq_length=10,
            **task_changes,
        ),
        "metric": metric,
        "training_file": write_tsv(
            folder / f"{task_type}.tsv", [header, *((a, b, label_of[y]) for a, b, y in rows)]
        ),
    }
    return make_spec(folder, base, **values | changes)  # type: ignore[arg-type]


def train_pairs_alone_and_stacked(
    folder: Path, base: Path, recipe: dict[str, object], **choice: Any
) -> tuple[list[RunSpec], TrainedRuns, TrainedRuns]:
    """Train two seeds of four steps one by one, and side by side; return their specs and runs.

    ``choice`` are arguments of ``make_pair_spec``.
    """
    settings: dict[str, object] = {"max_steps": 4, "learning_rate": 1e-3, **recipe}
    runs = []
    for stack_size in (1, 2):
        specs = [
            make_pair_spec(
                folder,
                base,
                recipe=settings,
                run_id=f"ftrun-{seed}",
                init_seed=seed,
                data_seed=seed,
                **choice,
            )
            for seed in (1, 2)
        ]
        runs.append(TrainedRuns(specs).train(stack_size=stack_size))
    return specs, runs[0], runs[1]


class PlainModel(nn.Module):
    """An encoder that ``AutoModel`` loads, with a head's weights, as the model card describes."""

    def __init__(
        self, folder: Path, task: Task, pooling: str, pair_encoding: str, head: dict[str, Tensor]
    ) -> None:
        super().__init__()
        with silence_transformers():
            self.encoder = AutoModel.from_pretrained(folder)
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
        self.task, self.pooling, self.pair_encoding = task, pooling, pair_encoding
        self.head = nn.ParameterDict(
            {name.replace(".", "_"): nn.Parameter(tensor.clone()) for name, tensor in head.items()}
        )

    @classmethod
    def from_folder(cls, folder: Path, spec: RunSpec) -> "PlainModel":
        """Load a published folder."""
        recipe = spec.recipe
        head = load_file(folder / "head.safetensors")
        return cls(folder, spec.task, recipe.pooling, recipe.pair_encoding, head).eval()

    def encode(self, *texts: Sequence[str]) -> list[Tensor]:
        """Return the states of each row's tokens, of shape (tokens, width)."""
        inputs = self.tokenizer(
            *map(list, texts),
            truncation=True,
            max_length=self.task.max_seq_length,
            padding=True,
            return_tensors="pt",
        )
        if getattr(self.encoder.config, "type_vocab_size", 0) < 2:
            inputs.pop("token_type_ids", None)
        states: Tensor = self.encoder(**inputs).last_hidden_state
        masks = inputs["attention_mask"].bool()
        return [row[mask] for row, mask in zip(states, masks, strict=True)]

    def pool(self, tokens: Sequence[Tensor]) -> Tensor:
        return torch.stack([row[0] if self.pooling == "cls" else row.mean(dim=0) for row in tokens])

    def forward(self, first: Sequence[str], second: Sequence[str]) -> Tensor:
        if self.pair_encoding == "joined":
            return functional.linear(
                self.pool(self.encode(first, second)), self.head["weight"], self.head["bias"]
            )
        tokens = self.encode(first), self.encode(second)
        u, v = map(self.pool, tokens)
        if self.pair_encoding == "aligned":
            cosine = functional.cosine_similarity(u, v)
            features = [
                torch.stack([row_cosine, *align_texts(*row)])
                for row_cosine, *row in zip(cosine, *tokens, strict=True)
            ]
            return functional.linear(
                torch.stack(features), self.head["output_weight"], self.head["output_bias"]
            )
        if self.task.type is TaskType.REGRESSION:
            cosine = (u * v).sum(dim=1) / (u.norm(dim=1) * v.norm(dim=1))
            return functional.linear(
                cosine[:, None], self.head["map_weight"], self.head["map_bias"]
            )
        u, v = u / u.norm(dim=1, keepdim=True), v / v.norm(dim=1, keepdim=True)
        features = [u, v, abs(u - v), u * v, (u * v).sum(dim=1, keepdim=True)]
        return functional.linear(
            torch.cat(features, dim=1), self.head["output_weight"], self.head["output_bias"]
        )


def align_texts(first: Tensor, second: Tensor) -> Iterator[Tensor]:
    """Yield the features of two texts' tokens, of shape (tokens, width), after their definition."""
    cosines = functional.cosine_similarity(first[:, None], second[None], dim=2)
    for similarities in (cosines.max(dim=1).values, cosines.max(dim=0).values):
        yield similarities.mean()
        for temperature in (0.05, 0.2):
            yield -temperature * (-similarities / temperature).exp().mean().log()
