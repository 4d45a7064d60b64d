"""The tables. Times are unix seconds by the database's clock; JSON columns hold the values of
pydantic models.
"""

from shared.db.tables.base import Base
from shared.db.tables.files import File, Upload, UploadPart
from shared.db.tables.jobs import Event, IdempotencyKey, Job
from shared.db.tables.models import Comparison, Model
from shared.db.tables.operations import WebhookDelivery, Worker
from shared.db.tables.owners import ApiKey, QueueTurn
from shared.db.tables.runs import Checkpoint, Metric, Run

__all__ = [
    "ApiKey",
    "Base",
    "Checkpoint",
    "Comparison",
    "Event",
    "File",
    "IdempotencyKey",
    "Job",
    "Metric",
    "Model",
    "QueueTurn",
    "Run",
    "Upload",
    "UploadPart",
    "WebhookDelivery",
    "Worker",
]
