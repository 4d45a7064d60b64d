"""ONNX export of the network, so that serving needs neither torch nor the code of a model.

The graph is torch's own export and holds no weights: ONNX lets an initializer refer to bytes of
another file, and a safetensors file is the tensors' bytes behind a header. So ``model.onnx`` is
small whatever the network's size, and serving uses the very bytes of ``model.safetensors``. The
graph does not depend on the values of weights, so it is traced once for all runs of a job.
"""

import json
import logging
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypedDict

import onnx
import torch
from onnx import ModelProto, TensorProto, ValueInfoProto, helper
from torch import Tensor, nn
from torch.onnx import OnnxExporterError
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from shared.domain.naming import GRAPH_FILE, HEAD_WEIGHTS_FILE, WEIGHTS_FILE
from worker.training.model.pooled_classifier import PooledClassifier

log = logging.getLogger("evenkeel.trainer")

OPSET = 17
"""The first opset with the operator LayerNormalization."""
IR_VERSION = 8
"""The IR version of that opset; the exporter's default may be too new for a runtime."""
EXAMPLE_ROWS, EXAMPLE_TOKENS = 4, 5
"""Size of the traced example, an even number of rows; the graph leaves both free."""
_EXPORT_ERRORS = (OnnxExporterError, RuntimeError, TypeError, ValueError, NotImplementedError)
_DTYPES = {"F32": TensorProto.FLOAT, "I64": TensorProto.INT64}


class _TensorLocation(NamedTuple):
    """Position of a tensor in a safetensors file."""

    file: str
    """Name of the file, beside the graph."""
    dtype: int
    shape: list[int]
    offset: int
    length: int


class _HeaderEntry(TypedDict):
    """A tensor in the header of a safetensors file."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]
    """Start and end behind the header."""


class _LogitsWrapper(nn.Module):
    """The network as a function from positional inputs, in the order of ``names``, to logits."""

    def __init__(self, network: PreTrainedModel, names: list[str]) -> None:
        super().__init__()
        self.network = network
        self._names = names

    def forward(self, *inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(**dict(zip(self._names, inputs, strict=True))).logits
        return logits


class GraphExporter:
    """Exporter that reuses the last traced graph for networks that differ only in weights."""

    def __init__(self) -> None:
        self._cached_graph: tuple[str, ModelProto] | None = None

    def write_graph(
        self, network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
    ) -> bool:
        """Write ``model.onnx`` beside the weights in ``folder``.

        Return False, writing nothing, if torch cannot export the network. The graph's inputs are
        int64 of shape (rows, tokens), both free: ``input_ids``, ``attention_mask`` and, if the
        family has them, ``token_type_ids``. Its output ``logits`` is float32 of shape (rows,
        outputs). Its metadata has the ``pad_token_id`` and the ``pair_encoding``; unless that is
        ``joined``, the first half of the input rows are the first texts of the pairs, and the
        output has one row per pair.
        """
        names = ["input_ids", "attention_mask"]
        if "token_type_ids" in tokenizer.model_input_names:
            names.append("token_type_ids")
        try:
            model = self._get_traced_model(network, names)
        except _EXPORT_ERRORS as error:
            log.warning("onnx_export_failed network=%s error=%s", type(network).__name__, error)
            return False
        graph = ModelProto()
        graph.CopyFrom(model)
        encoding = network.pair_encoding if isinstance(network, PooledClassifier) else "joined"
        properties = {"pad_token_id": str(tokenizer.pad_token_id), "pair_encoding": encoding}
        helper.set_model_props(graph, properties)
        _link_weights(graph, _locate_parameters(network, folder))
        (folder / GRAPH_FILE).write_bytes(graph.SerializeToString())
        return True

    def _get_traced_model(self, network: PreTrainedModel, names: list[str]) -> ModelProto:
        config = network.config.to_diff_dict()
        labels = ("id2label", "label2id", "problem_type", "_name_or_path")
        key = json.dumps(
            [
                {name: value for name, value in config.items() if name not in labels},
                network.num_labels,
                _list_head_options(network),
                names,
            ],
            default=str,
            sort_keys=True,
        )
        if self._cached_graph is None or self._cached_graph[0] != key:
            self._cached_graph = (key, _trace_network(network, names))
        return self._cached_graph[1]


def _list_head_options(network: PreTrainedModel) -> list[str]:
    """Return what the graph depends on beyond the config."""
    if not isinstance(network, PooledClassifier):
        return []
    return [network.pooling, network.pair_encoding, type(network.classifier).__name__]


GRAPH_EXPORTER = GraphExporter()
"""The exporter of this process."""


def _trace_network(network: PreTrainedModel, names: list[str]) -> ModelProto:
    """Export the graph; every parameter is an input with its name in the network."""
    example, axes = _build_example(network.device), {0: "rows", 1: "tokens"}
    with TemporaryDirectory() as scratch, _use_published_mode(network), torch.no_grad():
        target = Path(scratch) / GRAPH_FILE
        torch.onnx.export(
            _LogitsWrapper(network, names),
            tuple(example[name] for name in names),
            target,
            input_names=names,
            output_names=["logits"],
            dynamic_axes={**dict.fromkeys(names, axes), "logits": {0: "rows"}},
            opset_version=OPSET,
            export_params=False,
            keep_initializers_as_inputs=True,  # else tensors of equal value would be merged
            do_constant_folding=False,
            dynamo=False,
        )
        return onnx.load(target)


def _build_example(device: torch.device) -> dict[str, Tensor]:
    shape = (EXAMPLE_ROWS, EXAMPLE_TOKENS)
    attention_mask = torch.ones(shape, dtype=torch.long, device=device)
    attention_mask[-1, -1] = 0
    return {
        # 5 is not the padding id in any vocabulary
        "input_ids": torch.full(shape, 5, device=device),
        "attention_mask": attention_mask,
        "token_type_ids": torch.zeros(shape, dtype=torch.long, device=device),
    }


@contextmanager
def _use_published_mode(network: PreTrainedModel) -> Iterator[None]:
    """Switch to evaluation mode and eager attention, without warnings, within the context."""
    training, attention = network.training, network.config._attn_implementation
    network.eval()
    network.set_attn_implementation("eager")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer warns about every use of a shape
            yield
    finally:
        network.set_attn_implementation(attention)
        network.train(training)


def _locate_parameters(network: PreTrainedModel, folder: Path) -> dict[str, _TensorLocation]:
    """Return the positions of the network's parameters in the published files, by their names."""
    locations = _read_tensor_locations(folder / WEIGHTS_FILE)
    if not isinstance(network, PooledClassifier):
        return locations
    head = _read_tensor_locations(folder / HEAD_WEIGHTS_FILE)
    return {
        **{f"{network.encoder_path}.{name}": location for name, location in locations.items()},
        **{f"classifier.{name}": location for name, location in head.items()},
    }


def _read_tensor_locations(path: Path) -> dict[str, _TensorLocation]:
    """Return the positions of the tensors in a safetensors file.

    The format is 8 bytes of header length, a JSON header, and the tensors.
    """
    with path.open("rb") as file:
        [size] = struct.unpack("<Q", file.read(8))
        header: dict[str, _HeaderEntry] = json.loads(file.read(size))
    header.pop("__metadata__", None)
    first_byte = 8 + size
    return {
        name: _TensorLocation(
            path.name, _DTYPES[entry["dtype"]], entry["shape"], first_byte + start, end - start
        )
        for name, entry in header.items()
        for start, end in [entry["data_offsets"]]
    }


def _link_weights(model: ModelProto, locations: Mapping[str, _TensorLocation]) -> None:
    """Turn the inputs that are parameters into initializers that refer to the weights file."""
    graph = model.graph
    model.ir_version = IR_VERSION
    inputs: list[ValueInfoProto] = []
    for value in graph.input:
        location = locations.get(value.name.removeprefix("network."))
        if location is None:
            inputs.append(value)
        else:
            graph.initializer.append(_build_initializer(value.name, location))
    del graph.input[:]
    graph.input.extend(inputs)


def _build_initializer(name: str, location: _TensorLocation) -> TensorProto:
    tensor = TensorProto(name=name, data_type=location.dtype, dims=location.shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (
        ("location", location.file),
        ("offset", str(location.offset)),
        ("length", str(location.length)),
    ):
        tensor.external_data.add(key=key, value=value)
    return tensor
