"""The network as an ONNX graph beside its weights, so that whoever serves it needs neither
torch nor the code of a model.

The graph is torch's own export and holds no weights: ONNX lets an initialiser be bytes of
another file, and a safetensors file is its tensors' bytes behind a header. ``model.onnx`` is
therefore small, whatever the network's size, and what is served are the very bytes of
``model.safetensors``. Since nothing of it depends on values, it is traced once for all runs of
a job.
"""

import json
import logging
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import onnx
import torch
from onnx import ModelProto, TensorProto, ValueInfoProto, helper
from torch import Tensor, nn
from torch.onnx import OnnxExporterError
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from shared.domain.naming import GRAPH_FILE, WEIGHTS_FILE

log = logging.getLogger("evenkeel.trainer")

OPSET = 17  # LayerNormalization is an operator of its own from here on
IR_VERSION = 8  # of that opset; the exporter's own may be newer than a runtime reads
EXAMPLE_ROWS, EXAMPLE_TOKENS = 2, 5  # of the example that is traced; neither stays in the graph
_DTYPES = {"F32": TensorProto.FLOAT, "I64": TensorProto.INT64}


class _TensorLocation(NamedTuple):
    """Where a tensor lies in a safetensors file."""

    dtype: int
    shape: list[int]
    offset: int
    length: int


class _LogitsWrapper(nn.Module):
    """The network as a function of positional inputs, in the order of ``names``, to its logits
    alone.
    """

    def __init__(self, network: PreTrainedModel, names: list[str]) -> None:
        super().__init__()
        self.network = network
        self._names = names

    def forward(self, *inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(**dict(zip(self._names, inputs, strict=True))).logits
        return logits


class GraphExporter:
    """Graphs of networks that differ in their weights alone; the last one traced is kept for
    the next run.
    """

    def __init__(self) -> None:
        self._cached_graph: tuple[str, ModelProto] | None = None

    def write_graph(
        self, network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
    ) -> bool:
        """Write ``model.onnx`` beside the weights in ``folder``; False where torch cannot
        export the network, which leaves none.

        Its inputs are int64 of shape (rows, tokens), both free: ``input_ids``,
        ``attention_mask`` and, where the family has them, ``token_type_ids``. Its output
        ``logits`` is float32 of shape (rows, outputs). Its metadata say what pads the ids.
        """
        names = ["input_ids", "attention_mask"]
        if "token_type_ids" in tokenizer.model_input_names:
            names.append("token_type_ids")
        try:
            model = self._get_traced_model(network, names)
        except (
            OnnxExporterError,
            RuntimeError,
            TypeError,
            ValueError,
            NotImplementedError,
        ) as problem:
            log.warning(
                "%s has no ONNX graph and will not be served: %s", type(network).__name__, problem
            )
            return False
        graph = ModelProto()
        graph.CopyFrom(model)
        helper.set_model_props(graph, {"pad_token_id": str(tokenizer.pad_token_id)})
        _link_weights(graph, _read_tensor_locations(folder / WEIGHTS_FILE))
        (folder / GRAPH_FILE).write_bytes(graph.SerializeToString())
        return True

    def _get_traced_model(self, network: PreTrainedModel, names: list[str]) -> ModelProto:
        config = network.config.to_diff_dict()
        labels = ("id2label", "label2id", "problem_type", "_name_or_path")
        key = json.dumps(
            [
                {name: value for name, value in config.items() if name not in labels},
                network.num_labels,
                names,
            ],
            default=str,
            sort_keys=True,
        )
        if self._cached_graph is None or self._cached_graph[0] != key:
            self._cached_graph = (key, _trace_network(network, names))
        return self._cached_graph[1]


GRAPH_EXPORTER = GraphExporter()
"""This process's."""


def _trace_network(network: PreTrainedModel, names: list[str]) -> ModelProto:
    """The graph with every parameter as an input under its name in the network."""
    device = network.device
    example = {
        "input_ids": torch.full(
            (EXAMPLE_ROWS, EXAMPLE_TOKENS), 5, device=device
        ),  # a word, not padding, in every vocabulary
        "attention_mask": torch.ones(
            (EXAMPLE_ROWS, EXAMPLE_TOKENS), dtype=torch.long, device=device
        ),
        "token_type_ids": torch.zeros(
            (EXAMPLE_ROWS, EXAMPLE_TOKENS), dtype=torch.long, device=device
        ),
    }
    example["attention_mask"][-1, -1] = 0
    axes = {0: "rows", 1: "tokens"}
    with (
        TemporaryDirectory() as scratch,
        _use_published_mode(network),
        warnings.catch_warnings(),
        torch.no_grad(),
    ):
        target = Path(scratch) / GRAPH_FILE
        warnings.simplefilter("ignore")  # the tracer's, on every shape that it sees used
        torch.onnx.export(
            _LogitsWrapper(network, names),
            tuple(example[name] for name in names),
            target,
            input_names=names,
            output_names=["logits"],
            dynamic_axes={**dict.fromkeys(names, axes), "logits": {0: "rows"}},
            opset_version=OPSET,
            export_params=False,
            keep_initializers_as_inputs=True,  # or tensors that are equal today would be merged
            do_constant_folding=False,
            dynamo=False,
        )
        return onnx.load(target)


@contextmanager
def _use_published_mode(network: PreTrainedModel) -> Iterator[None]:
    """In evaluation mode, with the attention that transformers gives whoever loads the folder."""
    training, attention = network.training, network.config._attn_implementation
    network.eval()
    network.set_attn_implementation("eager")
    try:
        yield
    finally:
        network.set_attn_implementation(attention)
        network.train(training)


def _read_tensor_locations(path: Path) -> dict[str, _TensorLocation]:
    """Where each tensor of a safetensors file lies; the format is 8 bytes of header length, a
    header of JSON, and the tensors.
    """
    with path.open("rb") as file:
        [size] = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(size))
    header.pop("__metadata__", None)
    begin = 8 + size
    return {
        name: _TensorLocation(_DTYPES[entry["dtype"]], entry["shape"], begin + start, end - start)
        for name, entry in header.items()
        for start, end in [entry["data_offsets"]]
    }


def _link_weights(model: ModelProto, layout: Mapping[str, _TensorLocation]) -> None:
    """Turn the inputs that are parameters into initialisers that lie in the file of the weights."""
    graph = model.graph
    model.ir_version = IR_VERSION
    inputs: list[ValueInfoProto] = []
    for value in graph.input:
        place = layout.get(value.name.removeprefix("network."))
        if place is None:
            inputs.append(value)
        else:
            graph.initializer.append(_build_initializer(value.name, place))
    del graph.input[:]
    graph.input.extend(inputs)


def _build_initializer(name: str, place: _TensorLocation) -> TensorProto:
    tensor = TensorProto(name=name, data_type=place.dtype, dims=place.shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (
        ("location", WEIGHTS_FILE),
        ("offset", str(place.offset)),
        ("length", str(place.length)),
    ):
        tensor.external_data.add(key=key, value=value)
    return tensor
