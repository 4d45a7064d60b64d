"""Which IDs are allowed, and how an ID becomes a pinned model."""

from pathlib import Path

import pytest

from shared.domain.errors import HubNotAllowed, ModelNotAllowed, ModelNotFound
from shared.encoders.hub.ids import is_allowed, is_hub_id
from shared.encoders.hub.resolution import HubModels, unpack_facts
from shared.infra.settings import Settings
from tests.hub import PlayedHub
from tests.hub_models import ModelRepository
from tests.shared.encoders.hub.conftest import MODEL


@pytest.mark.parametrize(
    "model", ["acme/tiny-bert", "bert-base-uncased", "a/b", "a_b/c.d-e", "intfloat/e5_small_v2"]
)
def test_ids_of_the_hub(model: str) -> None:
    assert is_hub_id(model)


@pytest.mark.parametrize(
    "model",
    [
        *(
            "",
            "/",
            "a/",
            "/a",
            "a/b/c",
            "../a",
            "a/..",
            "a/.b",
            "a..b/c",
            "a--b/c",
            "a b/c",
            "-a/b",
        ),
        *("a/b\n", "https://x/y", "a\\b", "a/b?c", "a/%2e", "ft:a:b::c", "ä/b", "x" * 97),
    ],
)
def test_what_is_no_id(model: str) -> None:
    assert not is_hub_id(model)


@pytest.mark.parametrize(
    ("policy", "allowed", "forbidden"),
    [
        ("off", (), ("acme/a", "acme")),
        ("any", ("acme/a", "bert"), ()),
        ("acme", ("acme/a", "acme/b"), ("acme2/a", "a/acme", "bert")),
        ("acme/a, bert", ("acme/a", "bert"), ("acme/b", "acme/ab", "bert-base")),
    ],
)
def test_the_policy(policy: str, allowed: tuple[str, ...], forbidden: tuple[str, ...]) -> None:
    assert all(is_allowed(policy, model) for model in allowed)
    assert not any(is_allowed(policy, model) for model in forbidden)


def test_nothing_is_asked_where_the_hub_is_off(
    settings: Settings, hub: PlayedHub, repository: ModelRepository
) -> None:
    off = Settings(home=settings.home, hub_endpoint=hub.url)
    with pytest.raises(HubNotAllowed, match="EVENKEEL_HUB_MODELS"):
        HubModels(off).resolve(MODEL, None)
    assert hub.asked == []


@pytest.mark.parametrize("revision", [None, "main", "v1"])
def test_a_revision_becomes_a_commit(
    settings: Settings, repository: ModelRepository, revision: str | None
) -> None:
    repository.revisions = ("main", "v1")
    model = HubModels(settings).resolve(MODEL, revision)
    assert model.commit == repository.commit
    facts = unpack_facts(model)
    assert (facts.family, facts.num_hidden_layers, facts.hidden_size) == ("bert", 3, 32)


def test_the_pooling_of_a_sentence_encoder_is_known(
    settings: Settings, repository: ModelRepository
) -> None:
    modules = b'[{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]'
    pooling = {
        "modules.json": modules,
        "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
    }
    assert unpack_facts(HubModels(settings).resolve(MODEL, None)).pooling is None
    repository.files = {**repository.files, **pooling}
    assert unpack_facts(HubModels(settings).resolve(MODEL, None)).pooling == "mean"


def test_a_commit_is_asked_for_once_it_is_not_in_the_cache(
    settings: Settings, repository: ModelRepository, hub: PlayedHub
) -> None:
    first = HubModels(settings).resolve(MODEL, None)
    hub.asked.clear()
    assert HubModels(settings).resolve(MODEL, first.commit) == first
    assert hub.asked  # without its files, the note of the revision is not enough


def test_a_gated_and_a_private_model_need_a_token(
    settings: Settings, hub: PlayedHub, model_dir: Path
) -> None:
    hub.models.add("acme/gated", model_dir / "tiny-bert", gated=True, token="secret")
    hub.models.add("acme/private", model_dir / "tiny-bert", token="secret")
    with pytest.raises(ModelNotAllowed, match=r"gated: accept its terms.*HF_TOKEN"):
        HubModels(settings).resolve("acme/gated", None)
    with pytest.raises(ModelNotFound, match=r"no access to it.*HF_TOKEN"):
        HubModels(settings).resolve("acme/private", None)
    given = Settings.model_validate(settings.model_dump() | {"hub_token": "secret"})
    for model in ("acme/gated", "acme/private"):
        assert HubModels(given).resolve(model, None).repository == model


def test_the_tokens_of_the_environment_are_used_and_never_shown(
    settings: Settings, hub: PlayedHub, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.models.add("acme/private", model_dir / "tiny-bert", token="secret")
    monkeypatch.setenv("HF_TOKEN", "secret")
    model = HubModels(settings).resolve("acme/private", None)
    assert "secret" not in model.model_dump_json()
    monkeypatch.setenv("HF_TOKEN", "wrong-secret")
    with pytest.raises(ModelNotFound) as raised:
        HubModels(settings).resolve("acme/private", None)
    assert "secret" not in str(raised.value)


def test_a_moved_model_stays_with_an_allowed_owner(
    settings: Settings, hub: PlayedHub, model_dir: Path
) -> None:
    hub.models.add("evil/tiny-bert", model_dir / "tiny-bert")
    hub.models.add("acme/new", model_dir / "tiny-bert")
    hub.models.renamed = {
        **{"acme/moved": "evil/tiny-bert", "acme/old": "acme/new"},
        **{"short": "evil/tiny-bert"},
    }
    assert HubModels(settings).resolve("acme/old", None).repository == "acme/new"
    with pytest.raises(HubNotAllowed, match="was moved to evil/tiny-bert"):
        HubModels(settings).resolve("acme/moved", None)
    listed = settings.model_copy(update={"hub_models": "short"})
    assert HubModels(listed).resolve("short", None).repository == "evil/tiny-bert"


def test_a_model_above_the_limit_is_refused(
    settings: Settings, repository: ModelRepository
) -> None:
    small = settings.model_copy(update={"hub_model_bytes": 10_000})
    with pytest.raises(ModelNotAllowed, match="EVENKEEL_HUB_MODEL_BYTES"):
        HubModels(small).resolve(MODEL, None)


def test_shards_are_selected_by_their_index(
    settings: Settings, repository: ModelRepository
) -> None:
    weights = repository.files["model.safetensors"]
    shards = {f"model-0000{number}-of-00002.safetensors": weights[number:] for number in (1, 2)}
    others = {"model.safetensors.index.json": b"{}", "nested/model-00001-of-00002.safetensors": b""}
    rest = {path: text for path, text in repository.files.items() if path != "model.safetensors"}
    repository.files = {**rest, **shards, **others}
    paths = [file.path for file in HubModels(settings).resolve(MODEL, None).files]
    assert paths[-3:] == ["model.safetensors.index.json", *shards]


def test_a_model_too_large_for_a_trainer_is_refused_before_its_download(
    settings: Settings, hub: PlayedHub, repository: ModelRepository
) -> None:
    small = settings.model_copy(update={"trainer_memory_bytes": 10_000})
    with pytest.raises(ModelNotAllowed, match="raise EVENKEEL_TRAINER_MEMORY_BYTES"):
        HubModels(small).resolve(MODEL, None)
    assert hub.models.stored == []
