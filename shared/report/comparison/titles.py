"""Titles of the jobs of a comparison."""

from collections.abc import Sequence
from string import ascii_uppercase


def build_titles(jobs: Sequence[tuple[str, str]]) -> list[str]:
    """Return the title of each job, given by preset and ID: the preset, with the job's letter if
    several jobs share it.

    The first job is A, as in the table of ``evenkeel compare``. IDs are too long for figures, and
    an ID that is cut cannot be looked up.
    """
    presets = [preset for preset, _ in jobs]
    return [
        preset if presets.count(preset) == 1 else f"{preset} ({letter})"
        for preset, letter in zip(presets, ascii_uppercase, strict=False)
    ]
