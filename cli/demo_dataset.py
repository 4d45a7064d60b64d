"""The demo's data set: which part of the standard library does this sentence come from?

Real sentences by many authors that every machine with Python has, so that the demo needs no
download. They are read from the library's source with ``ast`` (nothing is imported), one
sentence a docstring: its first. Left out are sentences that name their own module, are no plain
prose, or occur in more than one area. Which ones are taken is decided by a hash of the sentence
alone, so that two versions of Python give nearly the same rows in the same order.
"""

import ast
import csv
import hashlib
import re
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

MODULES_BY_LABEL: dict[str, tuple[str, ...]] = {
    "network": (
        "email", "ftplib", "http", "imaplib", "ipaddress", "mailbox", "poplib", "smtplib",
        "socket", "socketserver", "ssl", "urllib", "wsgiref", "xmlrpc",
    ),
    "text": (
        "argparse", "codecs", "configparser", "csv", "difflib", "gettext", "html", "json",
        "locale", "optparse", "pprint", "re", "shlex", "string", "textwrap", "tokenize", "xml",
    ),
    "files": (
        "_pyio", "bz2", "dbm", "filecmp", "fileinput", "fnmatch", "genericpath", "glob",
        "gzip", "lzma", "ntpath", "os", "pathlib", "posixpath", "shelve", "shutil", "tarfile",
        "tempfile", "zipfile",
    ),
    "concurrency": (
        "asyncio", "concurrent", "contextlib", "contextvars", "multiprocessing", "queue",
        "sched", "selectors", "signal", "subprocess", "threading",
    ),
}  # fmt: skip
"""Modules and packages of each label; all of them are in CPython 3.11 to 3.14."""
LABEL_SHARES = {"network": 0.36, "text": 0.28, "files": 0.2, "concurrency": 0.16}
"""Moderately skewed, as people's data are: always answering "network" is right in 36 % of the
rows.
"""
MIN_WORDS, MAX_WORDS = 5, 12
PROSE_PATTERN = re.compile(r"[A-Z][A-Za-z0-9 ,;'()\-/]*\.")


def write_dataset(path: Path, rows: int = 400) -> list[str]:
    """Write ``rows`` rows to a CSV file with the header ``text,label``, and return its labels,
    sorted.

    Raises ValueError when this Python's library has fewer sentences, or no source (a trimmed
    installation).
    """
    chosen: list[tuple[str, str]] = []
    available = _collect_sentences()
    for label, amount in _compute_quotas(rows).items():
        sentences = available[label]
        if len(sentences) < amount:
            raise ValueError(
                f"{rows} rows need {amount} sentences on {label}, and the library at "
                f"{_get_library_folder()} has {len(sentences)}."
            )
        chosen += [(sentence, label) for sentence in sentences[:amount]]
    chosen.sort(
        key=lambda row: _hash_sentence(row[0], "position")
    )  # of its own: the first hash decided who is in
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("text", "label"))
        writer.writerows(chosen)
    return sorted(MODULES_BY_LABEL)


def _compute_quotas(rows: int) -> dict[str, int]:
    """Rows of each label; what rounding leaves over goes to the largest."""
    quotas = {label: int(rows * share) for label, share in LABEL_SHARES.items()}
    quotas["network"] += rows - sum(quotas.values())
    return quotas


def _collect_sentences() -> dict[str, list[str]]:
    """Sentences of each area that occur in no other, in the order in which they are taken."""
    by_area = {
        label: set(_iterate_area_sentences(modules)) for label, modules in MODULES_BY_LABEL.items()
    }
    areas_with = Counter(sentence for sentences in by_area.values() for sentence in sentences)
    return {
        label: sorted(
            (sentence for sentence in sentences if areas_with[sentence] == 1), key=_hash_sentence
        )
        for label, sentences in by_area.items()
    }


def _hash_sentence(sentence: str, purpose: str = "choice") -> str:
    return hashlib.sha256(f"{purpose}:{sentence}".encode()).hexdigest()


def _iterate_area_sentences(modules: tuple[str, ...]) -> Iterator[str]:
    for module in modules:
        own_name = re.compile(rf"\b{re.escape(module)}\b", re.IGNORECASE)
        for source in _list_sources(module):
            for docstring in _iterate_docstrings(source):
                sentence = _extract_first_sentence(docstring)
                if sentence is not None and not own_name.search(sentence):
                    yield sentence


def _get_library_folder() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def _list_sources(module: str) -> list[Path]:
    single = _get_library_folder() / f"{module}.py"
    return [single] if single.is_file() else sorted((_get_library_folder() / module).rglob("*.py"))


def _iterate_docstrings(source: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", SyntaxWarning
        )  # the library's own escapes are not the user's concern
        tree = ast.parse(source.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield docstring


def _extract_first_sentence(docstring: str) -> str | None:
    """The first sentence of the first paragraph, if it is plain prose of a usual length."""
    paragraph = " ".join(re.split(r"\n\s*\n", docstring, maxsplit=1)[0].split())
    sentence = re.split(r"(?<=\.)\s+(?=[A-Z])", paragraph, maxsplit=1)[0]
    fits = MIN_WORDS <= len(sentence.split()) <= MAX_WORDS
    return sentence if fits and PROSE_PATTERN.fullmatch(sentence) else None
