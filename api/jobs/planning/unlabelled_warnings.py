"""Warn about the unlabelled texts of a distillation: what is left out, and what leaks."""

from collections.abc import Iterator

from api.jobs.planning.job_data import JobData
from shared.datasets import InputFile
from shared.datasets.split.unlabelled import count_readable_texts
from shared.domain.job_facts import JobWarning, RowCounts
from shared.domain.wording import choose_verb
from shared.recipe import RecipeResolution


def warn_unlabelled_texts(data: JobData) -> Iterator[JobWarning]:
    """Warn of ignored labels, dropped copies, and texts that are also scored."""
    if data.unlabelled is None:
        return
    file, new = data.files[InputFile.UNLABELLED], len(data.unlabelled.rows)
    for split, leak in data.distillation_leaks.items():
        yield JobWarning(
            code="unlabelled_leakage",
            message=f"{leak.format_rows(split)} a text of unlabelled_file, on which the distilled "
            "model learns the predictions of the runs; its score on such rows says little about "
            "new texts. Remove these texts from unlabelled_file.",
        )
    if file.has_ignored_labels:
        yield JobWarning(
            code="unlabelled_labels_ignored",
            message=f"unlabelled_file has the column {data.task.label_column!r}, which is "
            "ignored: a distillation learns the predictions of the runs.",
        )
    if dropped := len(file.digests) - new:
        yield JobWarning(
            code="unlabelled_duplicates",
            message=f"{dropped:,} of {len(file.digests):,} rows of unlabelled_file "
            f"{choose_verb(dropped, 'is', 'are')} left out: a training row or an earlier row has "
            "the same text.",
        )


def warn_unread_texts(rows: RowCounts, resolution: RecipeResolution) -> Iterator[JobWarning]:
    """Warn if a distillation of a given length cannot read all unlabelled texts."""
    if rows.unlabelled is None or "max_steps" in resolution.automatic:
        return
    steps, batch_size = resolution.recipe.max_steps, resolution.recipe.train_batch_size
    read = count_readable_texts(rows.unlabelled, rows.train, steps, batch_size)
    if read < rows.unlabelled:
        first = "the training rows first" if read else "which are all training rows"
        yield JobWarning(
            code="unlabelled_texts_unread",
            message=f"The distillation reads {steps * batch_size:,} rows ({steps:,} x "
            f"{batch_size:,}): {first}, then {read:,} of the {rows.unlabelled:,} unlabelled "
            "texts, drawn at random. To read more of them, train longer (recipe.max_steps).",
        )
