"""Assignment of a data set's files to splits, by patterns of the card or by the files' names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from api.hub.client import HubFile

TABLE_EXTENSIONS = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv")
"""File formats by preference, for a data set that has its rows in several."""
SPLIT_KEYWORDS = {
    "train": {"train", "training"},
    "validation": {"validation", "valid", "val", "dev"},
    "test": {"test", "testing", "eval", "evaluation"},
}
_SHARD_PATTERN = re.compile(r"(\w+(\.\w+)*)-\d{5}-of-\d{5}\b.*")
_METADATA_FILES = {"dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json"}

FilesBySplit = dict[str, list[HubFile]]
Patterns = str | Sequence[str]


def is_table(file: HubFile) -> bool:
    return _get_extension(file.path) is not None and file.path not in _METADATA_FILES


def group_files_by_patterns(
    patterns_by_split: Mapping[str, Patterns], files: Sequence[HubFile], base: str
) -> FilesBySplit:
    """Group files by the glob patterns of each split, which are relative to the folder ``base``."""
    grouped = {
        split: [file for file in files if _has_match(file.path[len(base) :].lstrip("/"), patterns)]
        for split, patterns in patterns_by_split.items()
    }
    return {split: matching for split, matching in grouped.items() if matching}


def group_files_by_name(files: Sequence[HubFile]) -> FilesBySplit:
    """Group files of the preferred format by the split in their names, or all as ``train``."""
    extensions = {_get_extension(file.path) for file in files}
    preferred = next((one for one in TABLE_EXTENSIONS if one in extensions), None)
    chosen = [file for file in files if _get_extension(file.path) == preferred]
    by_split: FilesBySplit = {}
    for file in chosen:
        split = _find_split_in_path(file.path)
        if split is not None:
            by_split.setdefault(split, []).append(file)
    return by_split or ({"train": chosen} if chosen else {})


def find_split_by_keyword(name: str) -> str | None:
    words = set(re.split(r"[^a-z]+", name.lower()))
    return next((split for split, keywords in SPLIT_KEYWORDS.items() if words & keywords), None)


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
            if (split := find_split_by_keyword(part)) is not None
        ),
        None,
    )


def _has_match(path: str, patterns: str | Iterable[str]) -> bool:
    alternatives = [patterns] if isinstance(patterns, str) else patterns
    return any(
        _is_match(path.split("/"), pattern.strip("./").split("/")) for pattern in alternatives
    )


def _is_match(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Match part by part; ``**`` stands for any number of folders."""
    positions = {0}  # how many parts of the path the pattern so far may have consumed
    for part in pattern:
        if part == "**":
            positions = set(range(min(positions), len(path) + 1)) if positions else set()
        else:
            positions = {
                position + 1
                for position in positions
                if position < len(path) and fnmatchcase(path[position], part)
            }
    return len(path) in positions


def _get_extension(path: str) -> str | None:
    plain = path.lower().removesuffix(".gz")
    return next((one for one in TABLE_EXTENSIONS if plain.endswith(one)), None)
