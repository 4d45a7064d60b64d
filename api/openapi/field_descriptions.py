"""What a field or parameter of a name means wherever it occurs; a model's own words go before
these.
"""

_OBJECT_FIELDS = {
    "id": "Its id; what comes before the first hyphen, underscore or colon says what it is.",
    "object": "What kind of object this is.",
    "model": "Id of the model.",
    "file_id": "Id of the file.",
    "upload_id": "Id of the upload.",
    "job_id": "Id of the job.",
    "run_id": "Id of the run.",
    "comparison_id": "Id of the comparison.",
    "deleted": "Always true: it is gone.",
    "status": "How it stands.",
    "worker": "The worker's slot that trains it; null while none does.",
    "device": "What it is trained on; null until then.",
}
_TIME_FIELDS = {
    "created_at": "When it was made, unix seconds.",
    "started_at": "When it began, unix seconds; null until then.",
    "finished_at": "When it ended, unix seconds; null until then.",
}
_LIST_FIELDS = {
    "data": "The items, newest first unless the operation says otherwise.",
    "has_more": "Whether items follow: ask for them with `after` set to `last_id`.",
    "first_id": "Id of the first item; null of an empty page.",
    "last_id": "Id of the last item; null of an empty page.",
}
_MESSAGE_FIELDS = {
    "code": "For programs: what it is, in words that stay.",
    "message": "For people: a sentence.",
    "param": "Dotted path of the field that is meant; null where it is none.",
}
_RUN_FIELDS = {
    "index": "Its place among the job's runs, from 0.",
    "seed": (
        "The number that names the run; unless there is a grid, that of "
        "initialisation and data order alike."
    ),
    "init_seed": "Seed of the weights that are drawn afresh.",
    "data_seed": "Seed of the order of the rows and of the dropout.",
    "fold": (
        "Which part of the training file it is validated on, from 0, under k-fold; null otherwise."
    ),
    "step": "Optimiser step, from 1.",
    "total_steps": "Optimiser steps it is to take.",
    "score": "The result of a succeeded run, on the report's split; null otherwise.",
    "validation_score": (
        "On the validation rows, at the chosen checkpoint; null until there is one."
    ),
    "test_score": "On the test rows, at the chosen checkpoint; null without them.",
}
_STATISTIC_FIELDS = {
    "n": "Runs that succeeded, degenerate ones included.",
    "mean": "Of the scores; null where there is none.",
    "std": "Sample standard deviation (n - 1 in the denominator); null below two scores.",
    "min": "The lowest score; null where there is none.",
    "q1": "A quarter of the scores are lower; null where there is none.",
    "median": "Half of the scores are lower; null where there is none.",
    "q3": "Three quarters of the scores are lower; null where there is none.",
    "max": "The highest score; null where there is none.",
    "degenerate": "Runs that ended no better than a constant answer.",
    "failed": "Runs that ended without a score.",
    "cancelled": "Runs that a caller stopped.",
    "discarded": "Runs that were stopped early as the less promising.",
}
_FILE_FIELDS = {
    "text_column": "The (first) text, by name, or by index where there is no header.",
    "text_pair_column": "The second text, by name or index; null for single texts.",
    "label_column": "What is to be learned, by name or index.",
}
FIELD_DESCRIPTIONS = (
    _OBJECT_FIELDS
    | _TIME_FIELDS
    | _LIST_FIELDS
    | _MESSAGE_FIELDS
    | _RUN_FIELDS
    | _STATISTIC_FIELDS
    | _FILE_FIELDS
)

PARAMETER_DESCRIPTIONS = {
    name: words for name, words in _OBJECT_FIELDS.items() if name.endswith("_id")
} | {
    "name": "The preset, as `recipe.preset` of a job names it.",
    "model": "Id of the model; a slash in it may be sent as it is, or encoded.",
}
