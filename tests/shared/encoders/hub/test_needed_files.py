"""The files that are downloaded of a repository: all that training reads, and no others."""

from shared.encoders.hub.client import ListedFile
from shared.encoders.hub.needed_files import select_needed_files
from shared.encoders.model_digest import SETTINGS_FILES


def list_files(*paths: str) -> list[ListedFile]:
    return [ListedFile(rfilename=path, size=10, blob_id="0" * 40) for path in paths]


def test_every_file_that_the_digest_of_a_model_counts_is_downloaded() -> None:
    others = ["onnx/model.onnx", "train.py", "tf_model.h5", "0_Transformer/config.json"]
    described = ["README.md", "LICENSE"]
    listed = list_files("model.safetensors", *SETTINGS_FILES, *described, *others)
    needed = [file.path for file in select_needed_files("acme/bert", listed)]
    assert sorted(needed) == sorted(["model.safetensors", *SETTINGS_FILES, *described])
    assert needed[-1] == "model.safetensors"  # small ones first: they may refuse the model
