"""A run ends with an error if its base model's folder is replaced at any moment."""

from pathlib import Path

import pytest

from shared.domain.errors import BaseModelChanged
from shared.encoders.model_digest import compute_model_digest
from tests.encoders import build_bert_folder
from tests.worker.training.runs import iterate_events, make_spec
from worker.training.baselines.scoring import score_baselines
from worker.training.data.tokenization import TextCache
from worker.training.events import Finished, Step
from worker.training.spec import DataSpec, RunSpec


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return build_bert_folder(tmp_path / "base")


def make_pinned_spec(folder: Path, base: Path) -> RunSpec:
    sha256 = compute_model_digest(base)
    return make_spec(folder, base, base_model_name="tiny", base_model_sha256=sha256)


def replace_model(base: Path) -> None:
    """Change one bit of a weight, as another checkpoint of the same shape would."""
    content = bytearray((base / "model.safetensors").read_bytes())
    content[-3] ^= 1
    (base / "model.safetensors").write_bytes(content)


def test_a_folder_that_stays_is_trained_from(tmp_path: Path, base: Path) -> None:
    events = list(iterate_events(make_pinned_spec(tmp_path, base)))
    assert isinstance(events[-1], Finished)


def test_a_folder_replaced_before_the_first_step(tmp_path: Path, base: Path) -> None:
    spec = make_pinned_spec(tmp_path, base)
    replace_model(base)
    with pytest.raises(BaseModelChanged, match="base model tiny"):
        list(iterate_events(spec))


def test_a_folder_replaced_while_the_run_trains(tmp_path: Path, base: Path) -> None:
    events = iterate_events(make_pinned_spec(tmp_path, base))
    next(event for event in events if isinstance(event, Step) and event.step == 5)
    replace_model(base)
    steps: list[int] = []
    with pytest.raises(BaseModelChanged):
        steps.extend(event.step for event in events if isinstance(event, Step))
    assert steps == list(range(6, 13))  # the folder is read again at the end


def test_baselines_of_another_model_are_refused(tmp_path: Path, base: Path) -> None:
    fields = make_pinned_spec(tmp_path, base).model_dump(include=set(DataSpec.model_fields))
    replace_model(base)
    with pytest.raises(BaseModelChanged):
        list(score_baselines(DataSpec.model_validate(fields), lambda: False, TextCache()))
