"""Every family with every switch of the recipe trains to a plain folder or is rejected."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from shared.domain.errors import InvalidValue
from shared.domain.task import TaskType
from shared.encoders.catalogue import Catalogue
from shared.encoders.families import FAMILIES
from shared.metrics import Scoring
from shared.recipe import PRESETS, Recipe, RecipeRequest, resolve_recipe
from tests.encoders import ENCODERS
from tests.encoders.names import is_head
from tests.worker.training.runs import TrainedRun, make_review_rows, make_spec, make_task, write_tsv
from worker.training.model.encoder import load_encoder
from worker.training.model.transformers_logging import silence_transformers
from worker.training.optim.objective import set_bias_to_mean

SWITCHES: dict[str, dict[str, object]] = {
    **{preset: {"preset": preset} for preset in PRESETS},
    "weight decay": {"weight_decay": 0.1},
    "clipping": {"max_grad_norm": 0.01},
    "no warm-up": {"warmup_ratio": 0.0},
    "betas": {"adam_beta1": 0.5, "adam_beta2": 0.9, "warmup_ratio": 0.0},
    "epsilon": {"adam_epsilon": 1e-3},
    "batch": {"train_batch_size": 5},
    "last": {"select": "last", "eval_points": 2},
    "pooler": {"reinit_pooler": True},
    "head first": {"head_first": True},
    "two blocks": {"reinit_layers": 2},
    "the only block": {"reinit_layers": 1},
    "a list of blocks": {"reinit_layers": [0]},
    "a block too many": {"reinit_layers": 4},
    "a missing block": {"reinit_layers": [0, 3]},
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
SAME_WEIGHTS = {"debiased", "longer", "last"}
"""Switches without effect on a run whose two steps are given and whose last one is chosen."""
FAMILY_SWITCHES = {
    "debiased",
    "conventional",
    "stabilized",
    "llrd",
    "mixout",
    "pretrained_weight_decay",
    "pooler",
    "head first",
    "two blocks",
    "a list of blocks",
    "a block too many",
    "a missing block",
    "all at once",
}
"""Switches that depend on the family; the others are numbers of the optimizer or the loop."""
WITH_POOLER = {"bert", "albert", "modernbert"}


def get_rejected_setting(family: str, switch: str) -> str | None:
    """Return the setting that a rejection must name, or None if the family must train."""
    if switch == "pooler" and family not in WITH_POOLER:
        return "reinit_pooler"
    if switch in ("a block too many", "a missing block") or (
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


def resolve_short_recipe(models: Path, family: str, switch: dict[str, object]) -> Recipe:
    """Resolve a recipe like that of a job, but with two steps."""
    request: dict[str, object] = {
        "preset": "debiased",
        "learning_rate": 2e-3,
        "max_steps": 2,
        "train_batch_size": 8,
        "eval_points": 1,
    }
    return resolve_recipe(
        RecipeRequest.model_validate(request | switch),
        Catalogue([models]).get_facts(family),
        train_rows=30,
    ).recipe


def train_pairs(folder: Path, models: Path, family: str, recipe: Recipe) -> TrainedRun:
    pairs = write_tsv(folder / "train.tsv", make_review_rows(30, pairs=True))
    held_out = write_tsv(
        folder / "dev.tsv", make_review_rows(9, pairs=True, seed=3, positive_share=0.4)
    )
    spec = make_spec(
        folder,
        models / family,
        recipe=recipe,
        task=make_task(text_column="text", text_pair_column="other", max_seq_length=12),
        training_file=pairs,
        validation_file=held_out,
    )
    return TrainedRun(spec)


@torch.no_grad()
def score_exported_model(run: TrainedRun) -> tuple[dict[str, float | None], float]:
    """Return metrics and loss of the exported folder, computed with plain transformers."""
    folder = run.spec.output / "model"
    with silence_transformers():
        network, tokenizer = (
            AutoModelForSequenceClassification.from_pretrained(folder),
            AutoTokenizer.from_pretrained(folder),
        )
    rows = make_review_rows(9, pairs=True, seed=3, positive_share=0.4)[1:]
    texts, pairs, names = (list(column) for column in zip(*rows, strict=True))
    labels = [network.config.label2id[name] for name in names]
    inputs = tokenizer(texts, pairs, truncation=True, padding=True, return_tensors="pt")
    logits = network.eval()(**inputs).logits
    loss = functional.cross_entropy(logits, torch.tensor(labels)).item()
    return Scoring(run.spec.task, run.spec.metric).compute_scores(
        labels, logits.argmax(1).tolist()
    ), loss


def check_switches(family: str, switches: set[str], models: Path, folder: Path) -> None:
    weights: dict[str, str | None] = {}
    for switch in sorted(switches):
        setting = get_rejected_setting(family, switch)
        if setting is not None:
            with pytest.raises(
                InvalidValue, match=rf"^recipe\.{setting} is .*{family}.*\.$"
            ) as caught:
                resolve_short_recipe(models, family, SWITCHES[switch])
            assert caught.value.param == f"recipe.{setting}"
            continue
        run = train_pairs(
            folder, models, family, resolve_short_recipe(models, family, SWITCHES[switch])
        )
        assert len(run.steps) == 2, switch
        metrics, loss = score_exported_model(run)
        assert metrics == run.finished.validation.metrics, switch
        assert loss == pytest.approx(run.finished.validation.loss, abs=1e-5), switch
        weights[switch] = run.finished.weights_sha256
    same = {switch for switch, sha256 in weights.items() if sha256 == weights["debiased"]}
    assert same == SAME_WEIGHTS & switches  # every other switch has an effect


def test_every_family_has_a_tiny_encoder() -> None:
    """Tests that are parametrized by ``ENCODERS`` would skip a family without one."""
    assert FAMILIES.keys() <= ENCODERS.keys()


@pytest.mark.parametrize("family", ENCODERS)
def test_a_family_switch_trains_or_is_rejected(family: str, models: Path, tmp_path: Path) -> None:
    check_switches(family, set(SWITCHES) if family == "bert" else FAMILY_SWITCHES, models, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("family", [family for family in ENCODERS if family != "bert"])
def test_every_switch_trains_or_is_rejected(family: str, models: Path, tmp_path: Path) -> None:
    check_switches(family, set(SWITCHES), models, tmp_path)


@pytest.mark.parametrize("family", ENCODERS)
def test_every_preset_fits_every_family_and_notes_what_it_omits(family: str, models: Path) -> None:
    facts = Catalogue([models]).get_facts(family)
    for preset, values in PRESETS.items():
        recipe, notes, _ = resolve_recipe(RecipeRequest(preset=preset), facts, train_rows=1000)
        assert recipe.reinit_pooler == (values["reinit_pooler"] and family in WITH_POOLER)
        assert ("no pre-trained pooler" in notes.get("reinit_pooler", "")) == (
            recipe.reinit_pooler != values["reinit_pooler"]
        )
        assert all(note.endswith(".") for note in notes.values())


@pytest.mark.parametrize("family", ENCODERS)
def test_a_regression_starts_at_the_mean_of_its_labels(family: str, models: Path) -> None:
    """With all weights of the head at zero, every prediction is the mean."""
    network = load_encoder(
        models / family, make_task(type=TaskType.REGRESSION, label_names=[], positive_label=None), 0
    )
    set_bias_to_mean(network, [1.0, 2.0, 6.0])
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if is_head(family, name) and name.endswith("weight"):
                parameter.zero_()
        predictions = network.eval()(input_ids=torch.tensor([[5, 6, 7], [8, 9, 10]])).logits
    assert predictions.tolist() == [[3.0], [3.0]]
