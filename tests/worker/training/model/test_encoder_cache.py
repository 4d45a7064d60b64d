"""A warm trainer reads a base model once, and a run leaves no trace in the next one."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForSequenceClassification

from tests.encoders import build_bert_folder
from tests.worker.training.runs import TrainedRun, make_spec, make_task
from worker.training.errors import BaseModelUnreadable
from worker.training.model.encoder import load_encoder


def read_artifacts(run: TrainedRun) -> dict[str, bytes]:
    folder = run.spec.output
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_run_after_another_writes_the_same_bytes(tmp_path: Path) -> None:
    base = build_bert_folder(tmp_path / "base")
    alone = TrainedRun(make_spec(tmp_path, base, init_seed=2, data_seed=2))
    TrainedRun(make_spec(tmp_path, base, init_seed=3, data_seed=3))
    again = TrainedRun(make_spec(tmp_path, base, init_seed=2, data_seed=2))
    assert alone.losses == again.losses
    assert read_artifacts(alone) == read_artifacts(again)


def test_the_weights_are_read_once_per_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, calls = build_bert_folder(tmp_path / "base"), []
    original = AutoModelForSequenceClassification.from_pretrained

    def count_and_load(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        return original(*arguments, **options)

    monkeypatch.setattr(AutoModelForSequenceClassification, "from_pretrained", count_and_load)
    networks = [load_encoder(base, make_task(), seed) for seed in (1, 2, 1)]
    assert len(calls) == 1
    heads = [network.get_parameter("classifier.weight") for network in networks]
    assert heads[0].equal(heads[2])
    assert not heads[0].equal(heads[1])
    load_encoder(base, make_task(label_names=["a", "b", "c"], positive_label=None), 1)
    assert len(calls) == 2


def test_changing_a_network_does_not_change_another(tmp_path: Path) -> None:
    base = build_bert_folder(tmp_path / "base")
    first = load_encoder(base, make_task(), 1)
    before = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    for parameter in first.parameters():
        parameter.data.zero_()
    first.config.problem_type = "regression"
    second = load_encoder(base, make_task(), 1)
    assert all(tensor.equal(before[name]) for name, tensor in second.state_dict().items())
    assert second.config.problem_type == "single_label_classification"


def test_a_replaced_base_model_is_read_again(tmp_path: Path) -> None:
    base = build_bert_folder(tmp_path / "base")
    load_encoder(base, make_task(), 1)
    (base / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(BaseModelUnreadable):
        load_encoder(base, make_task(), 1)
