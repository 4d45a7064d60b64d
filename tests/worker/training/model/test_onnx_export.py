"""The ONNX graph beside the weights has torch's logits for every family and task type."""

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
from tests.worker.training.served import compute_served_logits
from worker.training.data.tokenizer import get_export_tokenizer
from worker.training.model.checkpoint import export_model
from worker.training.model.encoder import load_encoder
from worker.training.model.onnx_export import GraphExporter
from worker.training.model.transformers_logging import silence_transformers

TEXTS: list[Text] = [
    "a good film",
    "why would anyone watch this again it is long and it is not good",
    "joy",
    "what a lovely story told with care and with a warm heart and a delight to watch from start to "
    "end again and again",
]
PAIRS: list[Text] = [("a good film", str(text)) for text in TEXTS]


def export_to_folder(
    base: Path, folder: Path, task: Task, exporter: GraphExporter, seed: int = 0
) -> Path:
    """Export the base model under a head for the task, like a run does."""
    network = load_encoder(base, task, seed)
    tokenizer = get_export_tokenizer(base)
    folder.mkdir()
    export_model(network, tokenizer, task, folder)
    assert exporter.write_graph(network, tokenizer, folder)
    return folder


@torch.no_grad()
def compute_with_transformers(folder: Path, texts: list[Text]) -> np.ndarray:
    """Compute logits with plain transformers, one text at a time, without padding."""
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
def test_the_graph_of_every_family_equals_torch(family: str, tmp_path: Path) -> None:
    base = ENCODERS[family](tmp_path / "base")
    folder = export_to_folder(
        base, tmp_path / "model", make_task(max_seq_length=16), GraphExporter()
    )
    classifier = Classifier(folder, max_seq_length=16, threads=1)
    for texts in (TEXTS, PAIRS):
        encoded = classifier.encode_texts(texts)
        assert encoded.truncated[-1]
        np.testing.assert_allclose(
            compute_served_logits(classifier, texts),
            compute_with_transformers(folder, texts),
            atol=1e-5,
        )


def test_one_trace_serves_networks_with_other_weights(tmp_path: Path) -> None:
    base, exporter, task = ENCODERS["bert"](tmp_path / "base"), GraphExporter(), make_task()
    first, second = (
        export_to_folder(base, tmp_path / str(seed), task, exporter, seed) for seed in (0, 1)
    )
    assert (first / GRAPH_FILE).read_bytes() == (second / GRAPH_FILE).read_bytes()
    for folder in (first, second):
        classifier = Classifier(folder, max_seq_length=32, threads=1)
        np.testing.assert_allclose(
            compute_served_logits(classifier, TEXTS),
            compute_with_transformers(folder, TEXTS),
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
    base, exporter = ENCODERS["bert"](tmp_path / "base"), GraphExporter()
    export_to_folder(base, tmp_path / "before", make_task(), exporter)
    task = make_task(**changes)
    folder = export_to_folder(base, tmp_path / "model", task, exporter)
    classifier = Classifier(folder, max_seq_length=32, threads=1)
    logits = compute_served_logits(classifier, TEXTS)
    assert logits.shape == (len(TEXTS), task.num_outputs)
    np.testing.assert_allclose(logits, compute_with_transformers(folder, TEXTS), atol=1e-5)


def test_the_graph_contains_no_weights(tmp_path: Path) -> None:
    base = ENCODERS["bert"](tmp_path / "base")
    folder = export_to_folder(base, tmp_path / "model", make_task(), GraphExporter())
    graph = onnx.load(folder / GRAPH_FILE, load_external_data=False).graph
    locations = [
        {entry.key: entry.value for entry in tensor.external_data} for tensor in graph.initializer
    ]
    assert {location["location"] for location in locations} == {WEIGHTS_FILE}
    assert {value.name for value in graph.input} == {
        "input_ids",
        "attention_mask",
        "token_type_ids",
    }


@pytest.mark.real_encoder
def test_the_real_encoders_probabilities_equal_torchs(tmp_path: Path) -> None:
    base, task = Catalogue().get_folder(OFFLINE_ENCODER), make_task(max_seq_length=128)
    network, tokenizer = load_encoder(base, task, 0), get_export_tokenizer(base)
    with torch.no_grad():
        # otherwise all probabilities would be about a half
        network.get_parameter("classifier.weight").mul_(50)
    export_model(network, tokenizer, task, tmp_path)
    assert GraphExporter().write_graph(network, tokenizer, tmp_path)
    texts: list[Text] = [f"{text} {'and so on ' * count}" for text in TEXTS for count in (0, 3, 40)]
    classifier = Classifier(tmp_path, max_seq_length=128, threads=1)
    found = convert_logits(compute_served_logits(classifier, texts), task.type)
    expected = convert_logits(compute_with_transformers(tmp_path, texts), task.type)
    assert np.ptp(expected[:, 0]) > 0.02
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_folder_without_a_graph_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ModelNotServed, match="no ONNX graph") as caught:
        Classifier(tmp_path, max_seq_length=16, threads=1)
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    "content", [b"", b"no protobuf", b"\x08\x08"], ids=["empty", "other", "cut off"]
)
def test_a_damaged_graph_is_rejected(content: bytes, tmp_path: Path) -> None:
    (tmp_path / GRAPH_FILE).write_bytes(content)
    with pytest.raises(ModelNotServed, match="cannot load this model"):
        Classifier(tmp_path, max_seq_length=16, threads=1)


def test_a_failed_export_does_not_fail_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base = ENCODERS["bert"](tmp_path / "base")
    network, tokenizer = load_encoder(base, make_task(), 0), get_export_tokenizer(base)
    export_model(network, tokenizer, make_task(), tmp_path / "model")
    network.register_forward_pre_hook(_fail_forward)
    assert not GraphExporter().write_graph(network, tokenizer, tmp_path / "model")
    assert "onnx_export_failed" in caplog.text
    assert not (tmp_path / "model" / GRAPH_FILE).exists()


def _fail_forward(_module: torch.nn.Module, _inputs: tuple[torch.Tensor, ...]) -> None:
    raise NotImplementedError("operator unknown to ONNX")
