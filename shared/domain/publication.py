"""What a job has published, and the scores that decided it, as in ``Job.publication``."""

from typing import Literal

from shared.domain.stored import OptionalKey, StoredModel

PublishedKind = Literal["best_run", "ensemble", "distilled"]


class EnsembleResult(StoredModel):
    """Scores of the mean of the sound runs' predictions: succeeded and not degenerate."""

    run_ids: list[str]
    """The averaged runs, by index."""
    validation: OptionalKey[dict[str, float | None]] = None
    """Every metric on the validation rows; None if the runs were validated on different rows."""
    test: OptionalKey[dict[str, float | None]] = None
    """Every metric on the test rows; None without any."""
    disagreement: dict[str, float]
    """Split -> share of the rows on which two runs predict differently, the mean over all pairs;
    empty for a regression."""

    def get_split(self, split: str) -> dict[str, float | None]:
        return (self.validation if split == "validation" else self.test) or {}


class DistilledResult(StoredModel):
    """Scores of the model that was distilled from the ensemble, on the rows of the runs."""

    run_id: str
    """The distillation."""
    teachers: list[str]
    """The runs whose mean prediction it learned, by index."""
    unlabelled_texts: OptionalKey[int] = None
    """Texts that it learned besides the training rows; None without an unlabelled file."""
    validation: dict[str, float | None]
    """Every metric on the validation rows."""
    test: OptionalKey[dict[str, float | None]] = None
    """Every metric on the test rows; None without any."""

    def get_split(self, split: str) -> dict[str, float | None]:
        return (self.validation if split == "validation" else self.test) or {}


class Publication(StoredModel):
    """What the published model's ID answers with."""

    kind: OptionalKey[PublishedKind] = None
    """None if the job keeps no model."""
    reason: OptionalKey[str] = None
    """A sentence on the choice; None if there was none to make."""
    denied: OptionalKey[bool] = None
    """True if an ensemble or a distilled model was wanted, by the request or by its scores, but
    the best run is published."""
    wanted: OptionalKey[PublishedKind] = None
    """What was wanted if that was denied; None means the ensemble."""
    ensemble: OptionalKey[EnsembleResult] = None
    """None with fewer than two sound runs whose predictions are stored."""
    distilled: OptionalKey[DistilledResult] = None
    """None unless the request asks for a distilled model and its training succeeded."""

    def has_member(self, run_id: str) -> bool:
        """Whether the run is a member of the published ensemble."""
        if self.kind != "ensemble" or self.ensemble is None:
            return False
        return run_id in self.ensemble.run_ids
