"""Base models are the usable ones of a folder; any other name is refused with a reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.domain.errors import ModelNotAllowed
from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue, EncoderFacts
from shared.encoders.model_dirs import find_model_dirs_problem
from tests.encoders.small_folders import build_config, write_model


def test_an_unusable_folder_is_not_listed_and_refused_under_its_name(tmp_path: Path) -> None:
    write_model(tmp_path / "good")
    write_model(tmp_path / "bad")
    (tmp_path / "bad" / "config.json").write_text("{")
    catalogue = Catalogue([tmp_path])
    assert catalogue.list_names() == [OFFLINE_ENCODER, "good"]
    with pytest.raises(ModelNotAllowed, match=r"^bad cannot be used") as refused:
        catalogue.get_facts("bad")
    assert refused.value.param == "model"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (build_config("roberta"), EncoderFacts("it", "roberta", 2, 32, 62)),
        (build_config("mpnet"), EncoderFacts("it", "mpnet", 2, 32, 62)),
        (build_config("deberta-v2"), EncoderFacts("it", "deberta-v2", 2, 32, 64)),
        (
            build_config("albert", num_hidden_layers=12),
            EncoderFacts("it", "albert", 12, 32, 64, shared_blocks=1),
        ),
        (
            build_config("albert", num_hidden_layers=12, num_hidden_groups=3),
            EncoderFacts("it", "albert", 12, 32, 64, shared_blocks=3),
        ),
        (
            build_config("albert", num_hidden_groups=2),
            EncoderFacts("it", "albert", 2, 32, 64),
        ),
        (
            build_config("distilbert", n_layers=6, dim=48),
            EncoderFacts("it", "distilbert", 6, 48, 64),
        ),
    ],
)
def test_facts_are_read_under_the_familys_own_names(
    tmp_path: Path, config: dict[str, Any], expected: EncoderFacts
) -> None:
    write_model(tmp_path / "it", config)
    found = Catalogue([tmp_path]).get_facts("it")
    assert found == expected
    assert found.num_blocks == (expected.shared_blocks or expected.num_hidden_layers)
    assert found.has_pooler == (expected.family == "albert")


@pytest.mark.parametrize(
    "name", ["n" * 300, "ü" * 200, "a\0b", "../good", "good/", ".", "..", ".hidden", ""]
)
def test_names_of_nothing(tmp_path: Path, name: str) -> None:
    write_model(tmp_path / "good")
    write_model(tmp_path / ".hidden")
    catalogue = Catalogue([tmp_path])
    for look_up in (catalogue.get_facts, catalogue.get_folder):
        with pytest.raises(ModelNotAllowed):
            look_up(name)


def test_the_first_of_a_name_wins(tmp_path: Path) -> None:
    write_model(tmp_path / "one" / "same")
    write_model(tmp_path / "two" / "same", build_config(hidden_size=64))
    catalogue = Catalogue([tmp_path / "one", tmp_path / "two", tmp_path / "none"])
    assert catalogue.get_facts("same").hidden_size == 32
    assert catalogue.get_folder("same") == tmp_path / "one" / "same"


def test_a_complete_folder_wins_over_one_without_weights(tmp_path: Path) -> None:
    write_model(tmp_path / "one" / "same")
    (tmp_path / "one" / "same" / "model.safetensors").unlink()
    write_model(tmp_path / "two" / "same", build_config(hidden_size=64))
    catalogue = Catalogue([tmp_path / "one", tmp_path / "two"])
    assert catalogue.get_facts("same").hidden_size == 64


def test_links_may_stay_in_the_model_directory_and_not_leave_it(tmp_path: Path) -> None:
    models = tmp_path / "models"
    write_model(models / "whole")
    write_model(models / "links").joinpath("model.safetensors").unlink()
    (models / "links" / "model.safetensors").symlink_to(models / "whole" / "model.safetensors")
    (models / "alias").symlink_to(models / "whole")
    (models / "away").symlink_to(write_model(tmp_path / "elsewhere"))
    catalogue = Catalogue([models])
    assert catalogue.list_names() == [OFFLINE_ENCODER, "alias", "links", "whole"]
    with pytest.raises(ModelNotAllowed, match=r"^away is a link that leads out"):
        catalogue.get_facts("away")


def test_a_model_that_needs_more_memory_than_a_trainer_has_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "it")
    assert Catalogue([tmp_path], memory_bytes=10**6).get_facts("it").hidden_size == 32
    small = Catalogue([tmp_path], memory_bytes=10**4)
    assert small.list_names() == [OFFLINE_ENCODER]
    with pytest.raises(ModelNotAllowed, match=r"^it has 0 million parameters.*GB"):
        small.get_facts("it")


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_file_without_permission_is_no_crash(
    tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path / "locked")
    open_file = Path.open

    def open_or_refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == file:
            raise PermissionError(13, "Permission denied")
        return open_file(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", open_or_refuse)
    assert Catalogue([tmp_path]).list_names() == [OFFLINE_ENCODER]
    with pytest.raises(ModelNotAllowed, match="locked cannot be read"):
        Catalogue([tmp_path]).get_facts("locked")


def test_a_changed_file_is_checked_again(tmp_path: Path) -> None:
    weights = write_model(tmp_path / "it") / "model.safetensors"
    content = weights.read_bytes()
    catalogue = Catalogue([tmp_path])
    for is_cut in (False, True, False):
        weights.write_bytes(content[:-1] if is_cut else content)
        assert catalogue.list_names() == [OFFLINE_ENCODER, *([] if is_cut else ["it"])]


def test_a_folder_of_models_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    write_model(tmp_path / "it")
    (tmp_path / "file").touch()
    assert find_model_dirs_problem([tmp_path]) is None
    for folder, text in (
        (tmp_path / "none", "does not exist"),
        (tmp_path / "file", "is not a folder"),
        (tmp_path / "it", "is a model itself"),
    ):
        problem = find_model_dirs_problem([tmp_path, folder])
        assert problem is not None
        assert problem.startswith(f"EVENKEEL_MODEL_DIRS names {folder}, which {text}")


def test_the_facts_do_not_depend_on_keys_that_are_not_read(tmp_path: Path) -> None:
    write_model(tmp_path / "plain")
    write_model(tmp_path / "more")
    config = build_config() | {"task_specific_params": {"x": [1e308]}, "bos_token_id": None}
    (tmp_path / "more" / "config.json").write_text(json.dumps(config))
    catalogue = Catalogue([tmp_path])
    assert catalogue.get_facts("more").num_blocks == catalogue.get_facts("plain").num_blocks
