"""Parsing of references to data sets on the hub, and the names of their files."""

import pytest

from api.files.service import MAX_FILENAME
from api.hub.reference import HubReference, build_filename
from shared.domain.errors import InvalidValue


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hf://a/b", ("a/b", None, None, None)),
        ("hf://nyu-mll/glue/rte@main:train", ("nyu-mll/glue", "rte", "main", "train")),
        ("hf://a/b@refs/convert/parquet", ("a/b", None, "refs/convert/parquet", None)),
        ("hf://a/b:validation_matched", ("a/b", None, None, "validation_matched")),
        ("hf://a/b.c_d/20220301.en:de.test", ("a/b.c_d", "20220301.en", None, "de.test")),
    ],
)
def test_a_reference_is_parsed(text: str, parts: tuple[str | None, ...]) -> None:
    assert HubReference.parse(text, param="training_file") == parts


@pytest.mark.parametrize(
    "text",
    [
        *(
            "hf://",
            "hf://glue",
            "hf://a/b/c/d",
            "hf://a/b@",
            "hf://a/b:",
            "hf://a/b/",
            "hf://../b",
            "hf://a/..",
            "HF://a/b",
        ),
        *(
            "hf://a/b@../x",
            "hf://a/b:tr-ain",
            "hf://a/b:train:test",
            "hf://a--b/c",
            "hf://a/b\n",
            f"hf://{'a' * 50}/{'b' * 50}",
        ),
    ],
)
def test_an_invalid_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        HubReference.parse(text, param="test_file")
    assert refused.value.param == "test_file"
    assert "hf://owner/name" in refused.value.message


def test_the_longest_reference_fits_a_file_name() -> None:
    longest = HubReference.parse(
        f"hf://{'a' * 45}/{'b' * 50}/{'c' * 64}:{'d' * 32}", param="training_file"
    )
    assert (
        len(build_filename(longest.repository, longest.config or "", longest.split or "", "0" * 40))
        <= MAX_FILENAME
    )
