"""Which models of the hub the catalogue lists: cached ones that are allowed, and named IDs."""

from pathlib import Path

import pytest

from shared.domain.hub_model import HubModel
from shared.encoders.hub.cache import HubCache
from shared.encoders.hub.starts import list_hub_starts
from tests.encoders.small_folders import write_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path) -> HubCache:
    """A cache with one model each of two owners, and one that cannot be trained."""
    for name in ("one--small", "two--small", "one--broken"):
        write_model(tmp_path / "models" / name / COMMIT)
    (tmp_path / "models" / "one--broken" / COMMIT / "config.json").write_text("{")
    return HubCache(tmp_path)


@pytest.mark.parametrize(
    ("policy", "listed"),
    [
        ("off", {}),
        ("any", {"one/small": True, "two/small": True}),
        ("one", {"one/small": True}),
        ("two/small, one/other", {"two/small": True, "one/other": False}),
        ("one/small, bert-base-uncased", {"one/small": True}),
    ],
)
def test_models_that_a_job_can_start_from_are_listed(
    cache: HubCache, policy: str, listed: dict[str, bool]
) -> None:
    entries = list_hub_starts(cache, policy)
    assert {entry.id: entry.facts is not None for entry in entries} == listed
    assert {entry.source for entry in entries} <= {"hub"}


def test_a_cached_model_has_its_facts(cache: HubCache) -> None:
    entry = list_hub_starts(cache, "one")[0]
    assert entry.facts is not None
    assert (entry.facts.name, entry.facts.hidden_size) == ("one/small", 32)
    assert entry.details.parameters


def test_an_empty_cache_lists_the_named_ids_alone(tmp_path: Path) -> None:
    entries = list_hub_starts(HubCache(tmp_path / "none"), "a/b, c")
    assert [(entry.id, entry.facts) for entry in entries] == [("a/b", None)]


def test_a_canonical_name_is_listed_once_its_model_is_in_the_cache(tmp_path: Path) -> None:
    cache = HubCache(tmp_path)
    model = HubModel(repository="owner/short", commit=COMMIT, files=[], facts={})
    assert list_hub_starts(cache, "short") == []
    write_model(cache.get_folder(model))
    cache.record_revision("short", "main", model)
    [entry] = list_hub_starts(cache, "short")
    assert entry.id == "short"
    assert entry.facts is not None


def test_a_name_means_the_commit_that_the_main_branch_had(tmp_path: Path) -> None:
    cache = HubCache(tmp_path)
    for commit in ("1" * 40, "2" * 40, "3" * 40):
        model = HubModel(repository="a/b", commit=commit, files=[], facts={})
        write_model(cache.get_folder(model))
        cache.record_revision("a/b", "main" if commit[0] == "2" else commit, model)
    found = cache.find_by_name("a/b")
    assert found is not None
    assert found.name == "2" * 40
