"""The tab of the rows: which ones are predicted wrong, and how far the seeds agree on them."""

from api.pages.job import rows_view
from api.pages.job.page import JobPage, Tab
from api.runs.predictions import has_predictions, read_rows
from shared.domain.states import RunState
from shared.domain.task import Task, TaskType
from shared.infra.storage_errors import StorageUnavailable


def build(shown: JobPage) -> dict[str, object]:
    if not is_shown(shown) or not isinstance(shown.job.task, Task):
        return {"query": None}
    query, task, path = rows_view.read_query(shown), shown.job.task, f"{shown.path}/rows"
    found = read_rows(shown.page.services, shown.job.id, query.to_filter())
    return {
        "query": query,
        "path": path,
        "found": found,
        "task": task,
        "is_regression": task.type is TaskType.REGRESSION,
        "runs": rows_view.list_runs(shown),
        "splits": rows_view.list_splits(shown),
        "orders": (
            rows_view.ORDERS_OF_NUMBERS if task.type is TaskType.REGRESSION else rows_view.ORDERS
        ),
        "matrix": rows_view.build_matrix(found.page, task, query, path),
        "pairs": rows_view.list_confused_pairs(found.page, task, query, path),
        "label_counts": rows_view.count_labels(found.page, task, query, path),
        "last_page": max(1, -(-found.page.matching // rows_view.PAGE_SIZE)),
    }


def is_shown(shown: JobPage) -> bool:
    ended = [run.id for run in shown.runs if run.status == RunState.SUCCEEDED]
    try:
        return has_predictions(shown.page.services, ended)
    except StorageUnavailable:
        return True  # the tab itself says so; the others do without the storage


TAB = Tab("rows", "Rows", 40, "job/rows.html.j2", build, is_shown, is_slow=True)
