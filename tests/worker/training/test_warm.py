"""The second run of a warm trainer: nothing is read again, and nothing of the first is left in
it.
"""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForSequenceClassification

from tests.encoders import bert_folder
from tests.worker.training.runs import Trained, make_spec, make_task
from worker.training.errors import BaseModelUnreadable
from worker.training.model.encoder import load_encoder


def artefacts(run: Trained) -> dict[str, bytes]:
    folder = run.spec.output
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_run_after_another_writes_the_same_bytes_as_alone(tmp_path: Path) -> None:
    base = bert_folder(tmp_path / "base")
    alone = Trained(make_spec(tmp_path, base, init_seed=2, data_seed=2))
    Trained(make_spec(tmp_path, base, init_seed=3, data_seed=3))
    again = Trained(make_spec(tmp_path, base, init_seed=2, data_seed=2))
    assert alone.losses == again.losses
    assert artefacts(alone) == artefacts(again)


def test_the_weights_are_read_once_for_the_runs_of_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, read = bert_folder(tmp_path / "base"), []
    original = AutoModelForSequenceClassification.from_pretrained

    def counted(*arguments: Any, **options: Any) -> Any:
        read.append(arguments)
        return original(*arguments, **options)

    monkeypatch.setattr(AutoModelForSequenceClassification, "from_pretrained", counted)
    networks = [load_encoder(base, make_task(), seed) for seed in (1, 2, 1)]
    assert len(read) == 1
    heads = [network.get_parameter("classifier.weight") for network in networks]
    assert heads[0].equal(heads[2])
    assert not heads[0].equal(heads[1])
    load_encoder(base, make_task(label_names=["a", "b", "c"], positive_label=None), 1)
    assert len(read) == 2


def test_a_network_does_not_see_what_was_done_to_another(tmp_path: Path) -> None:
    base = bert_folder(tmp_path / "base")
    first = load_encoder(base, make_task(), 1)
    before = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    for parameter in first.parameters():
        parameter.data.zero_()
    first.config.problem_type = "regression"
    second = load_encoder(base, make_task(), 1)
    assert all(tensor.equal(before[name]) for name, tensor in second.state_dict().items())
    assert second.config.problem_type == "single_label_classification"


def test_a_base_model_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    base = bert_folder(tmp_path / "base")
    load_encoder(base, make_task(), 1)
    (base / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(BaseModelUnreadable):
        load_encoder(base, make_task(), 1)
