"""An HTTP server that gives prepared answers and records the requests it receives."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FILE = {
    "id": "file-1",
    "object": "file",
    "filename": "a.csv",
    "bytes": 3,
    "created_at": 0,
    "purpose": "fine-tune",
}
JOB: dict[str, Any] = {
    "id": "ftjob-1",
    "created_at": 0,
    "finished_at": None,
    "model": "m",
    "status": "queued",
    "training_file": "file-1",
    "fine_tuned_model": None,
    "error": None,
    "result_files": [],
    "metric": "accuracy",
    "dataset": {},
    "resolved_recipe": {"preset": "stabilized"},
    "runs_summary": dict.fromkeys(
        ("total", "queued", "running", "succeeded", "failed", "cancelled", "degenerate"), 0
    ),
    "progress": {
        "percent": 0,
        "steps_done": 0,
        "steps_total": 3,
        "seconds_remaining": None,
        "queue_position": 0,
    },
    "warnings": [],
    "a_later_versions_field": {"x": 1},
}


def make_id(kind: str, number: int) -> str:
    """Return a whole id, which commands take without looking it up."""
    return f"{kind}-{number:024x}"


class Server(ThreadingHTTPServer):
    """Gives its ``answers`` in order, repeats the last one, and records requests in ``asked``."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.answers: list[tuple[int, dict[str, str], Any]] = []
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hangs up, as an interrupted one does."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def choose_answer(self, _method: str, _path: str) -> tuple[int, dict[str, str], Any]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        self.server.asked.append((f"{self.command} {self.path}", headers, body))
        status, extra, answer = self.server.choose_answer(self.command, self.path)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {
            "content-type": "application/json",
            "content-length": str(len(data)),
            **extra,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Keep the tests' output clean."""
