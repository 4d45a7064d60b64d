"""Which files the archive of a checkpoint may contain, by their names.

Only kinds that are data are unpacked. The weights are safetensors; whatever may hold a pickle or
code is refused without being opened.
"""

from pathlib import PurePosixPath

from shared.encoders.archive.errors import ArchiveUnsafe

_DATA_SUFFIXES = frozenset({".json", ".jinja", ".md", ".model", ".safetensors", ".txt"})
_DATA_NAMES = frozenset({"license", "notice", ".gitattributes"})
_PICKLE_SUFFIXES = frozenset(
    {".bin", ".ckpt", ".joblib", ".npy", ".npz", ".pickle", ".pkl", ".pt", ".pth"}
)
_CODE_SUFFIXES = frozenset(
    {".bat", ".class", ".dll", ".dylib", ".exe", ".ipynb", ".jar", ".js", ".ps1", ".py", ".pyc"}
    | {".pyd", ".pyi", ".pyx", ".sh", ".so", ".whl"}
)
_ARCHIVE_SUFFIXES = frozenset({".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"})
_OTHER_WEIGHTS_SUFFIXES = frozenset({".gguf", ".h5", ".msgpack", ".onnx", ".ot", ".tflite"})
_JUNK_NAMES = frozenset({".ds_store", "desktop.ini", "thumbs.db", "__macosx"})


def is_junk(path: PurePosixPath) -> bool:
    """Return whether an operating system put the file beside the model when it was archived."""
    return any(part.lower() in _JUNK_NAMES or part.startswith("._") for part in path.parts)


def is_model_data(path: PurePosixPath) -> bool:
    """Return whether a file of this name may be part of an uploaded checkpoint."""
    name = path.name.lower()
    return name in _DATA_NAMES or path.suffix.lower() in _DATA_SUFFIXES


def require_model_data(path: PurePosixPath, shown: str) -> None:
    """Raise ArchiveUnsafe unless the file is of an allowed kind; ``shown`` quotes its name."""
    if not is_model_data(path):
        raise ArchiveUnsafe(f"The archive contains {shown}, {_describe_refused_kind(path)}")


def _describe_refused_kind(path: PurePosixPath) -> str:
    suffix = path.suffix.lower()
    if suffix in _PICKLE_SUFFIXES:
        return (
            "a format that can hold a pickle, which may run code when it is opened. Leave it out; "
            "the weights must be in the safetensors format."
        )
    if suffix in _CODE_SUFFIXES:
        return "which is code, and the service never runs code of a model. Leave it out."
    if suffix in _ARCHIVE_SUFFIXES:
        return "an archive in the archive. Pack the model's files themselves."
    if suffix in _OTHER_WEIGHTS_SUFFIXES:
        return "weights in a format that jobs do not start from. Leave it out."
    return "which is no file of an encoder. Leave it out."
