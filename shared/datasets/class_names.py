"""Label names of class numbers, as the ``datasets`` library describes a column of them
(``ClassLabel``): in a data set's card and in the metadata of its Parquet files.
"""

import json
from collections.abc import Mapping, Sequence

from shared.datasets.readers.cells import ListCell

NO_LABEL = "-1"
"""Class number of a row without a label."""

ClassNames = Mapping[str, str]
"""Label name by class number; the empty name for ``NO_LABEL``."""


def build_class_names(names: object) -> ClassNames:
    """Return the names by number from a list, or from an object with the numbers as keys; empty
    if it is neither.
    """
    match names:
        case dict():
            found = {str(number): str(name) for number, name in names.items()}
        case list():
            found = {str(number): str(name) for number, name in enumerate(names)}
        case _:
            return {}
    return {NO_LABEL: "", **found} if found else {}


def parse_parquet_features(text: str | None) -> dict[str, ClassNames]:
    """Return the class names by column from the metadata ``huggingface`` of a Parquet file;
    metadata of another form has none.
    """
    try:
        features = json.loads(text or "")["info"]["features"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return {}
    described = features.items() if isinstance(features, dict) else ()
    found = {column: _parse_feature(feature) for column, feature in described}
    return {column: names for column, names in found.items() if names}


def restore_class_numbers(
    cells: Sequence[str], class_names: ClassNames, label_names: Sequence[str]
) -> list[str]:
    """Return the label cells with class numbers again if the task's labels are these numbers.

    Version 0.2.0 and earlier read the numbers, so its jobs have them as labels.
    """
    known = set(label_names)
    if not known <= class_names.keys() or known <= set(class_names.values()):
        return list(cells)
    numbers = {name: number for number, name in class_names.items()}
    return [
        ListCell.from_values(numbers.get(value, value) for value in cell.parse_values())
        if isinstance(cell, ListCell)
        else numbers.get(cell, cell)
        for cell in cells
    ]


def _parse_feature(feature: object) -> ClassNames:
    match feature:
        case {"_type": "ClassLabel", "names": names}:
            return build_class_names(names)
        case {"_type": "Sequence" | "List" | "LargeList", "feature": item}:
            return _parse_feature(item)
    return {}
