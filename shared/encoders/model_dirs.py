"""Check of EVENKEEL_MODEL_DIRS when a part of the service starts."""

from pathlib import Path


def find_model_dirs_problem(folders: list[Path]) -> str | None:
    """Return a sentence about the first folder of EVENKEEL_MODEL_DIRS that cannot be used; None if
    all can.
    """
    for folder in folders:
        problem = _find_folder_problem(folder)
        if problem is not None:
            return f"EVENKEEL_MODEL_DIRS names {folder}, which {problem}"
    return None


def _find_folder_problem(folder: Path) -> str | None:
    try:
        if not folder.exists():
            return "does not exist. Create the folder or correct the variable."
        if not folder.is_dir():
            return "is not a folder. Name the folder that contains the models."
        children = list(folder.iterdir())
        if any(child.name == "config.json" for child in children):
            return "is a model itself. Name the folder that contains it."
        for child in children:
            child.is_dir()
    except OSError as error:
        return f"cannot be read ({error.strerror}). Check its permissions."
    return None
