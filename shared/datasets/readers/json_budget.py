"""Bounds on the values of a JSON file, checked before they become objects.

A gzip file of 250 kB holds eighty million empty lists. Their text is within every limit on bytes,
but as objects they take minutes.
"""

from shared.datasets.errors import FieldTooLarge, JsonlMalformed, JsonMalformed, TooManyCells
from shared.datasets.readers.rows import Limits
from shared.domain.json_structure import find_excess


class JsonBudget:
    """What is left of the values and containers that one file may have."""

    def __init__(self, limits: Limits, malformed: type[JsonlMalformed | JsonMalformed]) -> None:
        self._limits = limits
        self._malformed = malformed
        self._values = limits.max_json_values
        self._containers = limits.max_cells

    def check_record(self, text: str, location: str) -> None:
        """Raise FieldTooLarge for the text of one record, or its beginning, with too many values,
        and the error of a malformed file for too many levels; ``location`` as in ``Line 3``.
        """
        limits = self._limits
        excess = find_excess(
            text, max_depth=limits.max_json_depth, max_items=limits.max_record_values
        )
        if excess == "depth":
            raise self._malformed(f"{location} is nested too deeply.")
        if excess == "items":
            raise FieldTooLarge(
                f"{location} has more than {limits.max_record_values:,} values. Remove the "
                "columns that are not needed."
            )

    def spend(self, text: str) -> None:
        """Count the values of a record. Raises TooManyCells once the file has too many."""
        containers = text.count("[") + text.count("{")
        self._containers -= containers
        self._values -= containers + text.count(",")
        if self._values < 0 or self._containers < 0:
            raise TooManyCells(
                f"The file has more than {self._limits.max_cells:,} lists and objects, or more "
                f"than {self._limits.max_json_values:,} values. Remove the columns that are not "
                "needed."
            )
