"""Every family under every switch of the recipe: it trains and its folder is a plain one, or
the job is refused with a sentence.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from shared.domain.errors import InvalidValue
from shared.domain.task import TaskType
from shared.encoders.catalogue import Catalogue
from shared.metrics import Scoring
from shared.recipe import PRESETS, Recipe, RecipeRequest, resolve_recipe
from tests.encoders import ENCODERS
from tests.encoders.names import is_head
from tests.worker.training.runs import Trained, make_spec, make_task, review_rows, write_tsv
from worker.training.model.encoder import load_encoder
from worker.training.model.transformers_logging import silence_transformers
from worker.training.optim.objective import set_bias_to_mean

SWITCHES: dict[str, dict[str, Any]] = {
    **{preset: {"preset": preset} for preset in PRESETS},
    "weight decay": {"weight_decay": 0.1},
    "clipping": {"max_grad_norm": 0.01},
    "no warm-up": {"warmup_ratio": 0.0},
    "betas": {"adam_beta1": 0.5, "adam_beta2": 0.9, "warmup_ratio": 0.0},
    "epsilon": {"adam_epsilon": 1e-3},
    "batch": {"train_batch_size": 5},
    "last": {"select": "last", "eval_points": 2},
    "pooler": {"reinit_pooler": True},
    "two blocks": {"reinit_layers": 2},
    "the only block": {"reinit_layers": 1},
    "a list of blocks": {"reinit_layers": [0]},
    "a block too many": {"reinit_layers": 4},
    "a block that is not there": {"reinit_layers": [0, 3]},
    "all at once": {
        "bias_correction": False,
        "reinit_layers": 1,
        "layerwise_learning_rate_decay": 0.8,
        "pretrained_weight_decay": 0.1,
        "mixout": 0.3,
        "weight_decay": 0.05,
        "select": "last",
    },
}
LEAVE_THE_WEIGHTS = {
    "debiased",
    "longer",
    "last",
}  # of two steps, whose number is given, chosen at the last
# the others are numbers of the optimiser or of the loop, which no family knows of
REACH_INTO_THE_FAMILY = {
    *(
        "debiased",
        "conventional",
        "stabilized",
        "llrd",
        "mixout",
        "pretrained_weight_decay",
        "pooler",
        "two blocks",
    ),
    *("a list of blocks", "a block too many", "a block that is not there", "all at once"),
}
WITH_POOLER = {"bert", "albert", "modernbert"}


def refused(family: str, switch: str) -> str | None:
    """The setting that a refusal must name; None where the family must train."""
    if switch == "pooler" and family not in WITH_POOLER:
        return "reinit_pooler"
    if switch in ("a block too many", "a block that is not there") or (
        switch == "two blocks" and family == "albert"
    ):
        return "reinit_layers"
    return None


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("families")
    for family, build in ENCODERS.items():
        build(folder / family)
    return folder


def resolved(models: Path, family: str, switch: dict[str, Any]) -> Recipe:
    """As a job's recipe is resolved, but short."""
    asked: dict[str, Any] = {
        "preset": "debiased",
        "learning_rate": 2e-3,
        "max_steps": 2,
        "train_batch_size": 8,
        "eval_points": 1,
    }
    return resolve_recipe(
        RecipeRequest(**(asked | switch)), Catalogue([models]).facts(family), train_rows=30
    ).recipe


def trained(folder: Path, models: Path, family: str, recipe: Recipe) -> Trained:
    pairs = write_tsv(folder / "train.tsv", review_rows(30, pairs=True))
    held_out = write_tsv(folder / "dev.tsv", review_rows(9, pairs=True, seed=3, positive_share=0.4))
    spec = make_spec(
        folder,
        models / family,
        recipe=recipe,
        task=make_task(text_column="text", text_pair_column="other", max_seq_length=12),
        training_file=pairs,
        validation_file=held_out,
    )
    return Trained(spec)


@torch.no_grad()
def scored_again(run: Trained) -> tuple[dict[str, float | None], float]:
    """Metrics and loss of the exported folder on the validation rows, by plain transformers."""
    folder = run.spec.output / "model"
    with silence_transformers():
        network, tokenizer = (
            AutoModelForSequenceClassification.from_pretrained(folder),
            AutoTokenizer.from_pretrained(folder),
        )
    rows = review_rows(9, pairs=True, seed=3, positive_share=0.4)[1:]
    texts, pairs, names = (list(column) for column in zip(*rows, strict=True))
    labels = [network.config.label2id[name] for name in names]
    inputs = tokenizer(texts, pairs, truncation=True, padding=True, return_tensors="pt")
    logits = network.eval()(**inputs).logits
    loss = functional.cross_entropy(logits, torch.tensor(labels)).item()
    return Scoring(run.spec.task, run.spec.metric).compute_scores(
        labels, logits.argmax(1).tolist()
    ), loss


def check(family: str, switches: set[str], models: Path, folder: Path) -> None:
    weights: dict[str, str | None] = {}
    for switch in sorted(switches):
        setting = refused(family, switch)
        if setting is not None:
            with pytest.raises(
                InvalidValue, match=rf"^recipe\.{setting} is .*{family}.*\.$"
            ) as caught:
                resolved(models, family, SWITCHES[switch])
            assert caught.value.param == f"recipe.{setting}"
            continue
        run = trained(folder, models, family, resolved(models, family, SWITCHES[switch]))
        assert len(run.steps) == 2, switch
        metrics, loss = scored_again(run)
        assert metrics == run.finished.validation.metrics, switch
        assert loss == pytest.approx(run.finished.validation.loss, abs=1e-5), switch
        weights[switch] = run.finished.weights_sha256
    same = {switch for switch, sha256 in weights.items() if sha256 == weights["debiased"]}
    assert same == LEAVE_THE_WEIGHTS & switches  # every other switch does something


@pytest.mark.parametrize("family", ENCODERS)
def test_a_switch_trains_or_is_refused_with_a_sentence(
    family: str, models: Path, tmp_path: Path
) -> None:
    check(family, set(SWITCHES) if family == "bert" else REACH_INTO_THE_FAMILY, models, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("family", [family for family in ENCODERS if family != "bert"])
def test_every_switch_trains_or_is_refused_with_a_sentence(
    family: str, models: Path, tmp_path: Path
) -> None:
    check(family, set(SWITCHES), models, tmp_path)


@pytest.mark.parametrize("family", ENCODERS)
def test_every_preset_fits_every_family_and_says_what_it_left_out(
    family: str, models: Path
) -> None:
    facts = Catalogue([models]).facts(family)
    for preset, values in PRESETS.items():
        recipe, notes, _ = resolve_recipe(RecipeRequest(preset=preset), facts, train_rows=1000)
        assert recipe.reinit_pooler == (values["reinit_pooler"] and family in WITH_POOLER)
        assert ("no pre-trained pooler" in notes.get("reinit_pooler", "")) == (
            recipe.reinit_pooler != values["reinit_pooler"]
        )
        assert all(note.endswith(".") for note in notes.values())


@pytest.mark.parametrize("family", ENCODERS)
def test_a_regression_begins_at_the_mean_of_its_labels(family: str, models: Path) -> None:
    """On an encoder without a word to say: with all weights of the head at zero, every answer
    is the mean.
    """
    network = load_encoder(
        models / family, make_task(type=TaskType.REGRESSION, label_names=[], positive_label=None), 0
    )
    set_bias_to_mean(network, [1.0, 2.0, 6.0])
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if is_head(family, name) and name.endswith("weight"):
                parameter.zero_()
        answers = network.eval()(input_ids=torch.tensor([[5, 6, 7], [8, 9, 10]])).logits
    assert answers.tolist() == [[3.0], [3.0]]
