"""Titles of the jobs of a comparison."""

from collections.abc import Sequence


def build_titles(jobs: Sequence[tuple[str, str]]) -> list[str]:
    """Return the title of each job, given by preset and ID: the preset, with the end of the ID if
    several jobs share it.
    """
    presets = [preset for preset, _ in jobs]
    return [
        preset if presets.count(preset) == 1 else f"{preset} (…{job_id[-6:]})"
        for preset, job_id in jobs
    ]
