"""Which files of a data set make up a split: as its card says, else as the names of files and
folders tell.

The rules are those of the hub's own ``datasets`` library as far as they concern tables:
``configs`` with ``load_data_files`` and ``data_dir`` in the card, or ``train``, ``validation``,
``test`` and the like in names, ``<split>-00000-of-00001`` for shards. Its code is never run.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from api.hub.client import DatasetInfo, HubFile
from api.hub.reference import CONFIG_PATTERN
from shared.datasets import InputFile
from shared.datasets.readers.cells import format_names
from shared.domain.errors import InvalidValue

DEFAULT_CONFIG = "default"
TABLE_EXTENSIONS = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv")
"""In the order in which one is chosen where a data set has its rows in several."""
SPLIT_KEYWORDS = {
    "train": {"train", "training"},
    "validation": {"validation", "valid", "val", "dev"},
    "test": {"test", "testing", "eval", "evaluation"},
}
DEFAULT_SPLITS = {
    InputFile.TRAINING: "train",
    InputFile.VALIDATION: "validation",
    InputFile.TEST: "test",
}
_SHARD_PATTERN = re.compile(r"(\w+(\.\w+)*)-\d{5}-of-\d{5}\b.*")
_METADATA_FILES = {"dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json"}


class DataFiles(BaseModel):
    split: str
    path: str | list[str]


class Config(BaseModel):
    config_name: str
    data_files: str | list[str] | list[DataFiles] | dict[str, str | list[str]] | None = None
    data_dir: str = ""
    default: bool = False


class SplitFiles(NamedTuple):
    config: str
    split: str
    files: list[HubFile]


def choose_split_files(
    info: DatasetInfo, config: str | None, split: str | None, source: InputFile
) -> SplitFiles:
    """The files of one split; what is not said is the only config, or the default one, and the
    split that ``source`` is named for.

    Raises InvalidValue with the candidates.
    """
    tables = [
        file
        for file in info.files
        if _get_extension(file.path) and file.path not in _METADATA_FILES
    ]
    name, splits = _find_config_splits(info.card or {}, tables, config, source)
    if not any(splits.values()):
        raise InvalidValue(
            "The data set has no Parquet, JSON or CSV files there. Of one that is made by "
            "a program, the hub may have Parquet files: "
            "@refs/convert/parquet.",
            param=source,
        )
    if CONFIG_PATTERN.fullmatch(name) is None:
        raise InvalidValue(
            "The name of the data set's config is none that this service can keep a file under.",
            param=source,
        )
    wanted = split or DEFAULT_SPLITS[source]
    if not splits.get(wanted):
        raise InvalidValue(
            f"There is no split {wanted!r}; name one of {format_names(sorted(splits))} (…:split).",
            param=source,
        )
    return SplitFiles(name, wanted, sorted(splits[wanted], key=lambda file: file.path))


def parse_class_names(info: DatasetInfo, config: str) -> dict[str, dict[str, str]]:
    """By column the names that the card gives for a class's number; -1, the mark of a row
    without label, has the empty one.
    """
    found: dict[str, dict[str, str]] = {}
    described = (info.card or {}).get("dataset_info")
    for one in described if isinstance(described, list) else [described]:
        if isinstance(one, dict) and one.get("config_name", DEFAULT_CONFIG) == config:
            features = one.get("features")
            for feature in features if isinstance(features, list) else []:
                names = _parse_label_names(feature)
                if names:
                    found[str(feature["name"])] = {"-1": "", **names}
    return found


def _parse_label_names(feature: Any) -> dict[str, str]:
    match feature:
        case {"name": _, "dtype": {"class_label": {"names": dict(names)}}}:
            return {str(number): str(name) for number, name in names.items()}
        case {"name": _, "dtype": {"class_label": {"names": list(names)}}}:
            return {str(number): str(name) for number, name in enumerate(names)}
    return {}


def _find_config_splits(
    card: Mapping[str, Any], tables: Sequence[HubFile], config: str | None, source: InputFile
) -> tuple[str, dict[str, list[HubFile]]]:
    configs = {one.config_name: one for one in _parse_configs(card, source)}
    if configs:
        chosen = configs[
            _choose_config(
                config,
                list(configs),
                [one.config_name for one in configs.values() if one.default],
                source,
            )
        ]
        return chosen.config_name, _group_files_by_card(chosen, tables)
    folders = sorted(
        {
            parts[0]
            for file in tables
            if len(parts := file.path.split("/")) > 1 and _is_config(parts[0])
        }
    )
    if config is None and len(folders) < 2:
        return DEFAULT_CONFIG, _group_files_by_name(tables)
    folder = _choose_config(config, folders, [], source)
    return folder, _group_files_by_name(
        [file for file in tables if file.path.startswith(f"{folder}/")]
    )


def _parse_configs(card: Mapping[str, Any], source: InputFile) -> list[Config]:
    try:
        return TypeAdapter(list[Config]).validate_python(card.get("configs") or [])
    except ValidationError:
        raise InvalidValue(
            "The configs in the data set's card cannot be understood.", param=source
        ) from None


def _choose_config(
    config: str | None, config_names: Sequence[str], default_names: Sequence[str], source: InputFile
) -> str:
    if config is None:
        likely = [
            *default_names,
            *(name for name in config_names if name == DEFAULT_CONFIG or len(config_names) == 1),
        ]
        if likely:
            return likely[0]
    elif config in config_names:
        return config
    what = (
        "Say which config of the data set is meant"
        if config is None
        else f"The data set has no config {config!r}"
    )
    known = f"one of {format_names(list(config_names))}" if config_names else "none is named there"
    raise InvalidValue(f"{what}: {known} (hf://owner/name/config).", param=source)


def _is_config(folder: str) -> bool:
    return folder != "data" and _find_split_by_keyword(folder) is None


def _group_files_by_card(config: Config, tables: Sequence[HubFile]) -> dict[str, list[HubFile]]:
    """Patterns are relative to ``data_dir``."""
    base = config.data_dir.strip("./")
    inside = [file for file in tables if not base or file.path.startswith(f"{base}/")]
    match config.data_files:
        case None:
            return _group_files_by_name(inside)
        case str(pattern):
            patterns: dict[str, str | list[str]] = {"train": pattern}
        case dict(by_split):
            patterns = by_split
        case list(several):
            patterns = {"train": [one for one in several if isinstance(one, str)]}
            patterns |= {one.split: one.path for one in several if isinstance(one, DataFiles)}
    found = {
        split: [file for file in inside if _has_match(file.path[len(base) :].lstrip("/"), wanted)]
        for split, wanted in patterns.items()
    }
    return {split: files for split, files in found.items() if files}


def _group_files_by_name(tables: Sequence[HubFile]) -> dict[str, list[HubFile]]:
    extension = next(
        (
            one
            for one in TABLE_EXTENSIONS
            if any(_get_extension(file.path) == one for file in tables)
        ),
        None,
    )
    chosen = [file for file in tables if _get_extension(file.path) == extension]
    by_split: dict[str, list[HubFile]] = {}
    for file in chosen:
        split = _find_split_in_path(file.path)
        if split is not None:
            by_split.setdefault(split, []).append(file)
    return by_split or ({"train": chosen} if chosen else {})


def _find_split_in_path(path: str) -> str | None:
    *folders, name = path.split("/")
    shard = _SHARD_PATTERN.fullmatch(name)
    if shard is not None:
        return shard[1]
    if folders and name.split(".")[0].isdigit():  # …/split/0000.parquet
        return folders[-1]
    return next(
        (
            split
            for part in (name, *reversed(folders))
            if (split := _find_split_by_keyword(part)) is not None
        ),
        None,
    )


def _find_split_by_keyword(name: str) -> str | None:
    words = set(re.split(r"[^a-z]+", name.lower()))
    return next((split for split, keywords in SPLIT_KEYWORDS.items() if words & keywords), None)


def _has_match(path: str, patterns: str | Iterable[str]) -> bool:
    wanted = [patterns] if isinstance(patterns, str) else patterns
    return any(_is_match(path.split("/"), pattern.strip("./").split("/")) for pattern in wanted)


def _is_match(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Part by part; ``**`` stands for any number of folders."""
    reached = {0}  # parts of the path that the pattern's parts so far may have used up
    for part in pattern:
        if part == "**":
            reached = set(range(min(reached), len(path) + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < len(path) and fnmatchcase(path[at], part)}
    return len(path) in reached


def _get_extension(path: str) -> str | None:
    plain = path.lower().removesuffix(".gz")
    return next((one for one in TABLE_EXTENSIONS if plain.endswith(one)), None)
