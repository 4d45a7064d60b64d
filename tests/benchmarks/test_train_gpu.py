"""The GPU benchmark runs at a small size on any machine; its times are not checked."""

import json
from pathlib import Path

import pytest

from benchmarks import train_gpu
from benchmarks.gpu_workload import ROW_LENGTHS, SIZES, make_base_model, make_specs, write_rows
from worker.training.data.split import load_splits
from worker.training.data.tokenization import TextCache
from worker.training.network_setup import build_network


def test_one_command_measures_each_side(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[str] = []
    monkeypatch.setattr(
        train_gpu, "print_result", lambda result: written.append(json.dumps(result.figures))
    )
    small = [
        "--device",
        "cpu",
        "--sizes",
        "tiny",
        "--seeds",
        "1",
        "2",
        "--warm-up",
        "1",
        "--steps",
        "2",
    ]
    train_gpu.main([*small, "--no-trainer", "--no-compile", "--no-record"])
    [size] = json.loads(written[0])["sizes"]
    one, two = size["sides"]
    assert (one["seeds"], two["seeds"]) == (1, 2)
    assert two["flops"] == pytest.approx(2 * one["flops"], rel=0.5)  # other rows
    for side in (one, two):
        assert side["seconds"] > 0
        assert side["seed_steps"] == pytest.approx(side["seeds"] / side["seconds"])
        assert side["times_trainer"] is None


def test_rows_have_the_lengths_of_rte(tmp_path: Path) -> None:
    size = SIZES["tiny"]
    base, file = make_base_model(size, tmp_path / "base"), write_rows(size, tmp_path / "rows.tsv")
    [spec] = make_specs(base, file, tmp_path, 1, precision="float32", device="cpu")
    splits = load_splits(spec, TextCache(), lambda: None)
    lengths = splits.train.text.list_lengths(range(size.rows))
    assert (min(lengths), max(lengths)) == (min(ROW_LENGTHS), max(ROW_LENGTHS))
    assert sum(lengths) / len(lengths) == pytest.approx(66.6, abs=2)
    blocks = build_network(spec, splits).get_submodule("bert.encoder.layer")
    weights = sum(parameter.numel() for parameter in blocks.parameters() if parameter.dim() == 2)
    of_a_token = size.count_row_flops(10) - 12.0 * size.layers * size.width * 10**2
    assert of_a_token == 10 * 6 * weights
