"""The ONNX graph beside the weights answers as torch does, for every family, kind of task,
batch and length.
"""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from api.serving.classifier import Classifier, Text
from api.serving.predictions import convert_logits
from shared.domain.errors import ModelNotServed
from shared.domain.naming import GRAPH_FILE, WEIGHTS_FILE
from shared.domain.task import Task, TaskType
from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue
from tests.encoders import ENCODERS
from tests.worker.training.runs import make_task
from worker.training.data.tokenization import get_export_tokenizer
from worker.training.model.checkpoint import export_model
from worker.training.model.encoder import load_encoder
from worker.training.model.onnx_export import GraphExporter
from worker.training.model.transformers_logging import silence_transformers

TEXTS: list[Text] = [
    "a good film",
    "why would anyone watch this again it is long and it is not good",
    "joy",
    (
        "what a lovely story told with care and with a warm heart and a delight to watch from "
        "start to end again and again"
    ),
]
PAIRS: list[Text] = [("a good film", str(text)) for text in TEXTS]


def published(base: Path, folder: Path, task: Task, graphs: GraphExporter, seed: int = 0) -> Path:
    """The base model under a head for the task, exported as a run's."""
    network = load_encoder(base, task, seed)
    tokenizer = get_export_tokenizer(base)
    folder.mkdir()
    export_model(network, tokenizer, task, folder)
    assert graphs.write_graph(network, tokenizer, folder)
    return folder


@torch.no_grad()
def by_torch(folder: Path, texts: list[Text]) -> np.ndarray:
    """The logits that plain transformers gives, one text at a time: without padding."""
    with silence_transformers():
        network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in texts:
        first, second = text if isinstance(text, tuple) else (text, None)
        inputs = tokenizer(first, second, truncation=True, return_tensors="pt")
        rows.append(
            network(**{name: inputs[name] for name in tokenizer.model_input_names}).logits[0]
        )
    return torch.stack(rows).numpy()


@pytest.mark.parametrize("family", ENCODERS)
def test_the_graph_of_every_family_answers_as_torch_does(family: str, tmp_path: Path) -> None:
    base = ENCODERS[family](tmp_path / "base")
    folder = published(base, tmp_path / "model", make_task(max_seq_length=16), GraphExporter())
    classifier = Classifier(folder, max_seq_length=16, threads=1)
    for texts in (TEXTS, PAIRS):
        encoded = classifier.encode_texts(texts)
        assert encoded.truncated[-1]
        np.testing.assert_allclose(
            classifier.compute_logits(encoded), by_torch(folder, texts), atol=1e-5
        )


def test_one_trace_serves_networks_of_other_weights(tmp_path: Path) -> None:
    base, graphs, task = ENCODERS["bert"](tmp_path / "base"), GraphExporter(), make_task()
    first, second = (published(base, tmp_path / str(seed), task, graphs, seed) for seed in (0, 1))
    assert (first / GRAPH_FILE).read_bytes() == (second / GRAPH_FILE).read_bytes()
    for folder in (first, second):
        classifier = Classifier(folder, max_seq_length=32, threads=1)
        np.testing.assert_allclose(
            classifier.compute_logits(classifier.encode_texts(TEXTS)),
            by_torch(folder, TEXTS),
            atol=1e-5,
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"type": TaskType.REGRESSION, "label_names": [], "positive_label": None},
        {"type": TaskType.MULTI_LABEL, "label_names": ["a", "b", "c"], "positive_label": None},
    ],
    ids=["regression", "multi-label"],
)
def test_a_trace_is_not_used_for_another_number_of_outputs(
    changes: dict[str, object], tmp_path: Path
) -> None:
    base, graphs = ENCODERS["bert"](tmp_path / "base"), GraphExporter()
    published(base, tmp_path / "before", make_task(), graphs)
    task = make_task(**changes)
    folder = published(base, tmp_path / "model", task, graphs)
    classifier = Classifier(folder, max_seq_length=32, threads=1)
    logits = classifier.compute_logits(classifier.encode_texts(TEXTS))
    assert logits.shape == (len(TEXTS), task.num_outputs)
    np.testing.assert_allclose(logits, by_torch(folder, TEXTS), atol=1e-5)


def test_the_graph_has_no_weights_of_its_own(tmp_path: Path) -> None:
    base = ENCODERS["bert"](tmp_path / "base")
    folder = published(base, tmp_path / "model", make_task(), GraphExporter())
    graph = onnx.load(folder / GRAPH_FILE, load_external_data=False).graph
    places = [
        {entry.key: entry.value for entry in tensor.external_data} for tensor in graph.initializer
    ]
    assert {place["location"] for place in places} == {WEIGHTS_FILE}
    assert {value.name for value in graph.input} == {
        "input_ids",
        "attention_mask",
        "token_type_ids",
    }


@pytest.mark.real_encoder
def test_the_real_encoder_s_probabilities_are_torch_s(tmp_path: Path) -> None:
    base, task = Catalogue().folder(OFFLINE_ENCODER), make_task(max_seq_length=128)
    network, tokenizer = load_encoder(base, task, 0), get_export_tokenizer(base)
    with torch.no_grad():
        network.get_parameter("classifier.weight").mul_(
            50
        )  # else all probabilities would be about a half
    export_model(network, tokenizer, task, tmp_path)
    assert GraphExporter().write_graph(network, tokenizer, tmp_path)
    texts: list[Text] = [f"{text} {'and so on ' * count}" for text in TEXTS for count in (0, 3, 40)]
    classifier = Classifier(tmp_path, max_seq_length=128, threads=1)
    found = convert_logits(classifier.compute_logits(classifier.encode_texts(texts)), task.type)
    expected = convert_logits(by_torch(tmp_path, texts), task.type)
    assert np.ptp(expected[:, 0]) > 0.02
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_folder_without_a_graph_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ModelNotServed, match="no ONNX graph") as refused:
        Classifier(tmp_path, max_seq_length=16, threads=1)
    assert refused.value.param == "model"


@pytest.mark.parametrize(
    "content", [b"", b"no protobuf", b"\x08\x08"], ids=["empty", "other", "cut off"]
)
def test_a_damaged_graph_is_refused_in_words(content: bytes, tmp_path: Path) -> None:
    (tmp_path / GRAPH_FILE).write_bytes(content)
    with pytest.raises(ModelNotServed, match="does not take this model"):
        Classifier(tmp_path, max_seq_length=16, threads=1)


def test_a_network_that_cannot_be_exported_costs_its_run_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base = ENCODERS["bert"](tmp_path / "base")
    network, tokenizer = load_encoder(base, make_task(), 0), get_export_tokenizer(base)
    export_model(network, tokenizer, make_task(), tmp_path / "model")
    network.register_forward_pre_hook(_without_an_export)
    assert not GraphExporter().write_graph(network, tokenizer, tmp_path / "model")
    assert "will not be served" in caplog.text
    assert not (tmp_path / "model" / GRAPH_FILE).exists()


def _without_an_export(_module: torch.nn.Module, _inputs: tuple[torch.Tensor, ...]) -> None:
    raise NotImplementedError("an operator that ONNX does not have")
