"""Result files of a job."""

from tests.stack import Stack


def get_result_files(stack: Stack, job: dict[str, object]) -> dict[str, bytes]:
    """Download the job's result files, by name."""
    found = {}
    assert isinstance(job["result_files"], list)
    for file_id in job["result_files"]:
        file = stack.get(f"/v1/files/{file_id}")
        assert file["purpose"] == "fine-tune-results"
        found[file["filename"]] = stack.http.get(f"/v1/files/{file_id}/content").content
        assert len(found[file["filename"]]) == file["bytes"]
    return found
