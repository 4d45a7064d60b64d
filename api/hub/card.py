"""Choice of a data set's config and split, from its card or from the names of its files.

The rules are those of the hub's ``datasets`` library for tables: ``configs`` with ``data_files``
and ``data_dir`` in the card; else words such as ``train``, ``validation`` and ``test`` in names,
and ``<split>-00000-of-00001`` for shards. Code of a data set is never run.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from api.hub.client import DatasetInfo, HubFile
from api.hub.reference import CONFIG_PATTERN
from api.hub.split_files import (
    FilesBySplit,
    Patterns,
    find_split_by_keyword,
    group_files_by_name,
    group_files_by_patterns,
    is_table,
)
from shared.datasets import InputFile
from shared.datasets.class_names import ClassNames, build_class_names
from shared.datasets.readers.cells import format_names
from shared.domain.errors import InvalidValue

DEFAULT_CONFIG = "default"
DEFAULT_SPLITS = {
    InputFile.TRAINING: "train",
    InputFile.VALIDATION: "validation",
    InputFile.TEST: "test",
    InputFile.UNLABELLED: "unsupervised",
}


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
    """Return the files of one split, sorted by path.

    Without ``config`` it is the only or the default config; without ``split`` the split that
    ``source`` is named for. Raises InvalidValue with the candidates.
    """
    tables = [file for file in info.files if is_table(file)]
    name, files_by_split = _find_config(info.card or {}, tables, config, source)
    _require_usable_config(name, files_by_split, source)
    chosen_split = split or DEFAULT_SPLITS[source]
    _require_split(chosen_split, files_by_split, source)
    files = sorted(files_by_split[chosen_split], key=lambda file: file.path)
    return SplitFiles(name, chosen_split, files)


def _require_usable_config(name: str, files_by_split: FilesBySplit, source: InputFile) -> None:
    if not any(files_by_split.values()):
        raise InvalidValue(
            "This config of the data set has no Parquet, JSON or CSV files. If a script generates "
            "them, try the revision @refs/convert/parquet.",
            param=source,
        )
    if CONFIG_PATTERN.fullmatch(name) is None:
        raise InvalidValue(
            "The name of the config cannot be part of a file name; "
            "upload the split as a file instead.",
            param=source,
        )


def _require_split(split: str, files_by_split: FilesBySplit, source: InputFile) -> None:
    if not files_by_split.get(split):
        known = format_names(sorted(files_by_split))
        raise InvalidValue(
            f"The data set has no split {split!r}; append one of {known} (…:split).", param=source
        )


def parse_class_names(info: DatasetInfo, config: str) -> dict[str, ClassNames]:
    """Return, by column, the label names that the card gives for class numbers.

    -1, which marks a row without a label, maps to the empty name.
    """
    names_by_column: dict[str, ClassNames] = {}
    described = (info.card or {}).get("dataset_info")
    for entry in described if isinstance(described, list) else [described]:
        if isinstance(entry, dict) and entry.get("config_name", DEFAULT_CONFIG) == config:
            features = entry.get("features")
            for feature in features if isinstance(features, list) else []:
                names = _parse_label_names(feature)
                if names:
                    names_by_column[str(feature["name"])] = names
    return names_by_column


def _parse_label_names(feature: object) -> ClassNames:
    match feature:
        case {"name": _, "dtype": {"class_label": {"names": names}}}:
            return build_class_names(names)
    return {}


def _find_config(
    card: Mapping[str, object], tables: Sequence[HubFile], config: str | None, source: InputFile
) -> tuple[str, FilesBySplit]:
    """Return the name of the config, and its files by split."""
    configs = {entry.config_name: entry for entry in _parse_configs(card, source)}
    if configs:
        defaults = [name for name, entry in configs.items() if entry.default]
        chosen = configs[_choose_config(config, list(configs), defaults, source)]
        return chosen.config_name, _group_files_by_card(chosen, tables)
    folders = _list_config_folders(tables)
    if config is None and len(folders) < 2:
        return DEFAULT_CONFIG, group_files_by_name(tables)
    folder = _choose_config(config, folders, [], source)
    return folder, group_files_by_name(
        [file for file in tables if file.path.startswith(f"{folder}/")]
    )


def _parse_configs(card: Mapping[str, object], source: InputFile) -> list[Config]:
    try:
        return TypeAdapter(list[Config]).validate_python(card.get("configs") or [])
    except ValidationError:
        raise InvalidValue(
            "The configs in the data set's card cannot be parsed; "
            "upload the split as a file instead.",
            param=source,
        ) from None


def _choose_config(
    config: str | None, config_names: Sequence[str], default_names: Sequence[str], source: InputFile
) -> str:
    default = _find_default_config(config_names, default_names)
    if config is None and default is not None:
        return default
    if config is not None and config in config_names:
        return config
    problem = (
        "The data set has several configs"
        if config is None
        else f"The data set has no config {config!r}"
    )
    advice = (
        f"give one of {format_names(list(config_names))} (hf://owner/name/config)"
        if config_names
        else "leave it out (hf://owner/name)"
    )
    raise InvalidValue(f"{problem}; {advice}.", param=source)


def _find_default_config(config_names: Sequence[str], default_names: Sequence[str]) -> str | None:
    """Return the config marked as default, else the one named so, else the only one."""
    only = config_names if len(config_names) == 1 else []
    named_default = [name for name in config_names if name == DEFAULT_CONFIG]
    return next(iter([*default_names, *named_default, *only]), None)


def _list_config_folders(tables: Sequence[HubFile]) -> list[str]:
    """List the top-level folders that are configs: neither ``data`` nor named for a split."""
    folders = {file.path.partition("/")[0] for file in tables if "/" in file.path}
    return sorted(
        folder for folder in folders if folder != "data" and find_split_by_keyword(folder) is None
    )


def _group_files_by_card(config: Config, tables: Sequence[HubFile]) -> FilesBySplit:
    base = config.data_dir.strip("./")
    inside = [file for file in tables if not base or file.path.startswith(f"{base}/")]
    match config.data_files:
        case None:
            return group_files_by_name(inside)
        case str(pattern):
            patterns: dict[str, Patterns] = {"train": pattern}
        case dict(patterns_by_split):
            patterns = dict(patterns_by_split)
        case list(entries):
            patterns = {"train": [entry for entry in entries if isinstance(entry, str)]}
            patterns |= {entry.split: entry.path for entry in entries if not isinstance(entry, str)}
    return group_files_by_patterns(patterns, inside, base)
