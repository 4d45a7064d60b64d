"""The page of a job."""

from tests.pages.rows import READ, SUBMIT, PageRow

ROWS = {
    "GET /jobs/{job_id}": PageRow(READ),
    "GET /jobs/{job_id}/curves": PageRow(READ),
    "GET /jobs/{job_id}/curves/{measure}.csv": PageRow(READ),
    "GET /jobs/{job_id}/curves/{measure}/{theme}.svg": PageRow(READ),
    "GET /jobs/{job_id}/runs": PageRow(READ),
    "GET /jobs/{job_id}/rows": PageRow(READ),
    "GET /jobs/{job_id}/data": PageRow(READ),
    "GET /jobs/{job_id}/recipe": PageRow(READ),
    "GET /jobs/{job_id}/events": PageRow(READ),
    "GET /jobs/{job_id}/model": PageRow(READ),
    "POST /jobs/{job_id}/model": PageRow(READ, {"text": "a lovely story"}),
    "GET /jobs/{job_id}/files/{file_id}": PageRow(READ),
    "GET /jobs/{job_id}/figures/{section}/{index}/{theme}.svg": PageRow(READ),
    "GET /jobs/{job_id}/stream": PageRow(READ),
    "GET /jobs/{job_id}/runs/{run_id}/log": PageRow(READ),
    "GET /jobs/{job_id}/cancel": PageRow(READ),
    "GET /jobs/{job_id}/delete": PageRow(READ),
    "GET /jobs/{job_id}/clone": PageRow(READ),
    "POST /jobs/{job_id}/pause": PageRow(SUBMIT),
    "POST /jobs/{job_id}/resume": PageRow(SUBMIT),
    "POST /jobs/{job_id}/cancel": PageRow(SUBMIT),
    "POST /jobs/{job_id}/extend": PageRow(SUBMIT, {"num_seeds": "1"}),
    "POST /jobs/{job_id}/delete": PageRow(SUBMIT),
}
