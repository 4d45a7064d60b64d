"""An example of every error that an operation may return, for the OpenAPI document."""

from api.errors import InternalError
from shared.datasets import errors as unreadable
from shared.domain.errors import (
    BaseModelChanged,
    ComparisonNotFound,
    CrossSiteRequest,
    DatasetNotFound,
    DatasetTooLarge,
    DiskFull,
    FileInUse,
    FileNotFound,
    HostNotAllowed,
    HubNotAllowed,
    HubNotReachable,
    IdempotencyKeyReused,
    InvalidRequest,
    InvalidValue,
    JobAlreadyEnded,
    JobNotEnded,
    JobNotExtendable,
    JobNotFound,
    JobsNotComparable,
    MissingScope,
    ModelInUse,
    ModelNotAllowed,
    ModelNotFound,
    ModelNotServed,
    NoEnsemble,
    NotAuthenticated,
    PayloadTooLarge,
    RecipeNotFound,
    RequestHeadTooLarge,
    RequestTimeout,
    RunAlreadyEnded,
    RunNotFound,
    RunNotRetryable,
    ServiceError,
    ServiceUnavailable,
    UnsupportedMediaType,
    UploadNotFound,
    UploadNotPending,
)
from shared.domain.limit_errors import (
    FilesLimit,
    JobRunsLimit,
    OpenJobsLimit,
    OwnerStreamsLimit,
    QueuedRunsLimit,
    RequestRateLimit,
    ServiceBusy,
    StoredBytesLimit,
    TooManyStreams,
    TooManyWrongKeys,
)
from shared.encoders.archive import errors as archives

_FILE_ID, _UPLOAD_ID = "file-7d6c0f9e2b1a4c538e07", "upload_7d6c0f9e2b1a4c538e07"
_JOB_ID, _OTHER_JOB_ID, _RUN_ID = (
    "ftjob-7d6c0f9e2b1a4c538e07",
    "ftjob-0b9f6a5d3c2e4178a6d1",
    "ftrun-7d6c0f9e2b1a4c538e07",
)
_MODEL_ID = "ft:all-MiniLM-L6-v2:local::7d6c0f9e"

_REQUEST_ERRORS: tuple[ServiceError, ...] = (
    InvalidRequest(
        "Unknown field recipe.lerning_rate. Did you mean recipe.learning_rate?",
        param="recipe.lerning_rate",
    ),
    InvalidValue(
        "The file has no column with this name. The columns are: text, label.",
        param="task.label_column",
    ),
    NotAuthenticated("The API key is missing; send the header 'Authorization: Bearer <key>'."),
    MissingScope(
        "The API key ek_7d6c0f… has the scope read, but this request needs submit; use a key with "
        "that scope."
    ),
    CrossSiteRequest(
        "Requests from pages of other sites are refused while the service has no API key; "
        "set EVENKEEL_API_KEY and send the key."
    ),
    HostNotAllowed(
        "The service does not answer under the name in the Host header. Use 127.0.0.1 or "
        "localhost, or add the name to EVENKEEL_ALLOWED_HOSTS."
    ),
    RequestTimeout("The body of the request came more slowly than 1,024 bytes per second."),
    RequestHeadTooLarge("The request has more than 100 header fields."),
    PayloadTooLarge("The request exceeds the limit of 1,048,576 bytes."),
    UnsupportedMediaType(
        "The gzip file contains a Parquet file. Upload that file itself.", param="file"
    ),
    IdempotencyKeyReused(
        "This Idempotency-Key was used for a different request; use a new key.",
        param="Idempotency-Key",
    ),
    ServiceBusy("Too many classifications are waiting; retry in 3 s.", retry_after_s=3),
    TooManyStreams("The limit of 100 open event streams is reached; poll the events instead."),
    InternalError(
        "Internal error; search the log of the service for req_5f0c1d9ab2e34c7786f0a1b2."
    ),
    ServiceUnavailable("The database does not respond; retry shortly."),
    DiskFull("The disk of the service is full. Delete files, models or jobs, or ask its operator."),
)
_LIMITS: tuple[ServiceError, ...] = (
    TooManyWrongKeys(
        "Too many requests with a wrong API key came from this address; check the key and retry "
        "in 42 seconds.",
        retry_after_s=42,
    ),
    RequestRateLimit(
        "More than 1000 requests per second came with keys of this owner; retry in 1 s, poll less "
        "often, or stream the events of a job."
    ),
    OwnerStreamsLimit(
        "The limit of 50 open event streams of an owner is reached; close some, or poll the "
        "events instead."
    ),
    StoredBytesLimit(
        "The file has 52,428,800 bytes, and 107,374,182,400 of the 107,374,182,400 bytes of an "
        "owner are used; delete files that are not needed any more."
    ),
    FilesLimit(
        "The limit of 100,000 files of an owner is reached; delete files that are not needed any "
        "more."
    ),
    OpenJobsLimit(
        "The limit of 1,000 open jobs of an owner is reached; wait until one has ended, or cancel "
        "one."
    ),
    QueuedRunsLimit(
        "The request adds 200 runs to 19,900 that wait, but at most 20,000 runs of an owner may "
        "wait; retry when runs have ended, or cancel a job."
    ),
    JobRunsLimit(
        "The job would have 1,200 runs, but at most 1,000 are allowed; give fewer seeds or folds.",
        param="num_seeds",
    ),
)
_RESOURCE_ERRORS: tuple[ServiceError, ...] = (
    FileNotFound(f"No file has the ID '{_FILE_ID}'.", param="file_id"),
    FileInUse(
        f"File {_FILE_ID} cannot be deleted while job {_JOB_ID} needs it; "
        "cancel the job or wait until it has ended.",
        param="file_id",
    ),
    UploadNotFound(f"No upload has the ID '{_UPLOAD_ID}'.", param="upload_id"),
    UploadNotPending(
        f"Upload {_UPLOAD_ID} is completed and accepts no more parts; create a new upload.",
        param="upload_id",
    ),
    JobNotFound(f"No job has the ID '{_JOB_ID}'.", param="fine_tuning_job_id"),
    JobAlreadyEnded(
        f"Job {_JOB_ID} has already ended; its status is succeeded.", param="fine_tuning_job_id"
    ),
    JobNotEnded(
        f"Job {_JOB_ID} is running; cancel it or wait until it has ended, then delete it.",
        param="fine_tuning_job_id",
    ),
    JobNotExtendable(f"Job {_JOB_ID} was cancelled; create a new job.", param="fine_tuning_job_id"),
    JobsNotComparable(
        f"{_JOB_ID} and {_OTHER_JOB_ID} differ in their validation rows; "
        "only jobs scored on the same rows can be compared.",
        param="job_ids",
    ),
    RunNotFound(f"Job {_JOB_ID} has no run '{_RUN_ID}'.", param="run_id"),
    RunAlreadyEnded(f"Run {_RUN_ID} has already ended; its status is succeeded.", param="run_id"),
    RunNotRetryable(
        f"Run {_RUN_ID} has the status succeeded; only failed and cancelled runs can be retried.",
        param="run_id",
    ),
    ComparisonNotFound(
        "No comparison has the ID 'ftcmp-7d6c0f9e2b1a4c538e07'.", param="comparison_id"
    ),
    RecipeNotFound(
        "No preset is named 'stabilised'; the presets are stabilized, conventional, debiased.",
        param="name",
    ),
    ModelNotFound(f"No model has the ID '{_MODEL_ID}'.", param="model"),
    ModelNotAllowed(
        "This installation has no base model 'gpt-4.1'. It has: all-MiniLM-L6-v2.", param="model"
    ),
    BaseModelChanged("all-MiniLM-L6-v2", _JOB_ID),
    ModelInUse(
        f"Job {_JOB_ID} starts from this model; cancel the job or wait until it has ended.",
        param="model",
    ),
    ModelNotServed(
        f"The weights of {_MODEL_ID} are missing from the storage; clone its job to train it "
        "again.",
        param="model",
    ),
    NoEnsemble(
        f"An ensemble needs at least two models, but job {_JOB_ID} kept only one; "
        'clone it with artifacts.keep "all_runs" to keep all.',
        param="ensemble",
    ),
)
_HUB_ERRORS: tuple[ServiceError, ...] = (
    HubNotAllowed(
        "Data sets from the hub are disabled (EVENKEEL_HUB_DATASETS); "
        "upload the file, for example the split as Parquet, and give its ID.",
        param="training_file",
    ),
    HubNotReachable(
        "The hub cannot be read: the download takes longer than 120 seconds.",
        param="training_file",
    ),
    DatasetNotFound(
        "The hub has no such data set, or this service has no access to it; "
        "check the name and EVENKEEL_HUB_TOKEN.",
        param="training_file",
    ),
    DatasetTooLarge(
        "The split has more than 200,000 rows; upload a sample of them as a file.",
        param="training_file",
    ),
)
_UNREADABLE_FILE_ERRORS: tuple[ServiceError, ...] = (
    unreadable.EmptyFile("The file is empty."),
    unreadable.NotATable(
        "The first line has no comma, semicolon or tab between columns. "
        "A file needs at least two columns, a text and its label; "
        "or, for texts alone, the line `text` above them."
    ),
    unreadable.EncodingNotUtf8("Line 17 is not UTF-8 (byte 0xE9). Save the file as UTF-8."),
    unreadable.InvalidText("Line 17 contains a NUL character."),
    unreadable.TooManyRows("The file has more than 200,000 rows. Upload a sample of them."),
    unreadable.TooManyColumns("The file has 1,200 columns, but at most 1,000 are allowed."),
    unreadable.TooManyCells(
        "The file has more than 5,000,000 cells. Remove the columns that are not needed."
    ),
    unreadable.FieldTooLarge("Line 17 has more than 4,000,000 characters."),
    unreadable.CsvMalformed("Lines end with a carriage return alone. End them with LF or CRLF."),
    unreadable.CsvFieldTooLarge("Line 17 has more than 4,000,000 characters."),
    unreadable.CsvTooManyColumns(
        "The first line has 1,200 columns, but at most 1,000 are allowed."
    ),
    unreadable.JsonlMalformed("Line 17 is not a JSON object."),
    unreadable.JsonMalformed("Element 3 of the array, on line 17, is not an object."),
    unreadable.GzipMalformed("The gzip file is incomplete. Upload it again."),
    unreadable.ParquetMalformed("The file begins like a Parquet file but cannot be read as one."),
    unreadable.ParquetColumnNotSupported(
        "Column 'text' cannot be read, and neither can any other. The column contains bytes. Cast "
        "it to string if it is text."
    ),
    unreadable.DecompressedTooLarge("The file unpacks to more than 256 MB."),
    unreadable.ReadingLimitExceeded.for_time(120),
)
_MODEL_ARCHIVE_ERRORS: tuple[ServiceError, ...] = (
    archives.ArchiveMalformed("The archive is truncated or damaged. Pack and upload it again."),
    archives.ArchiveUnsafe(
        "The archive contains 'pytorch_model.bin', a format that can hold a pickle, which may run "
        "code when it is opened. Leave it out; the weights must be in the safetensors format."
    ),
    archives.ArchiveTooLarge(
        "The archive has 2,100 entries, but at most 500 are allowed. Pack only the files of one "
        "model."
    ),
    archives.ArchivedModelUnusable(
        "The model in the archive has no model.safetensors. Save its weights in the safetensors "
        "format."
    ),
)
ERROR_EXAMPLES: dict[type[ServiceError], ServiceError] = {
    type(error): error
    for error in (
        *_REQUEST_ERRORS,
        *_LIMITS,
        *_RESOURCE_ERRORS,
        *_HUB_ERRORS,
        *_UNREADABLE_FILE_ERRORS,
        *_MODEL_ARCHIVE_ERRORS,
    )
}
