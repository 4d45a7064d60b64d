"""The sample data set: which area of the standard library does a docstring's sentence come from?

Every machine with Python has these sentences by many authors, so nothing is downloaded. They
are the first sentences of docstrings, read from the library's source with ``ast`` (nothing is
imported). Sentences that name their own module, are not plain prose, or occur in several areas
are left out. A hash of the sentence alone decides which ones are taken, so that two versions of
Python give nearly the same rows in the same order.
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
        "_pyio", "bz2", "dbm", "filecmp", "fileinput", "fnmatch", "genericpath", "glob", "gzip",
        "lzma", "ntpath", "os", "pathlib", "posixpath", "shelve", "shutil", "tarfile", "tempfile",
        "zipfile",
    ),
    "concurrency": (
        "asyncio", "concurrent", "contextlib", "contextvars", "multiprocessing", "queue", "sched",
        "selectors", "signal", "subprocess", "threading",
    ),
}  # fmt: skip
"""Modules and packages of each label; CPython 3.11 to 3.14 has all of them."""
LABEL_SHARES = {"network": 0.36, "text": 0.28, "files": 0.2, "concurrency": 0.16}
"""Moderately skewed, like real data: always answering "network" is right for 36% of the rows."""
MIN_WORDS, MAX_WORDS = 5, 12
PROSE_PATTERN = re.compile(r"[A-Z][A-Za-z0-9 ,;'()\-/]*\.")


def write_dataset(path: Path, rows: int = 400) -> list[str]:
    """Write ``rows`` rows to a CSV file with the header ``text,label``; return the labels, sorted.

    Raises ValueError if this Python's library has too few sentences, for example because its
    source is not installed.
    """
    chosen = _choose_sentences(rows)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("text", "label"))
        writer.writerows(chosen)
    return sorted(MODULES_BY_LABEL)


def _choose_sentences(rows: int) -> list[tuple[str, str]]:
    """Return sentences and labels, in the order of the file."""
    chosen: list[tuple[str, str]] = []
    available = _collect_sentences()
    for label, amount in _compute_quotas(rows).items():
        sentences = available[label]
        if len(sentences) < amount:
            raise ValueError(
                f"{rows} rows need {amount} sentences on {label}, but the library in "
                f"{_get_library_folder()} has only {len(sentences)}."
            )
        chosen += [(sentence, label) for sentence in sentences[:amount]]
    # a second hash, independent of the one that has chosen the sentences
    return sorted(chosen, key=lambda row: _hash_sentence(row[0], "position"))


def _compute_quotas(rows: int) -> dict[str, int]:
    """Return the rows of each label; the remainder of rounding goes to the largest label."""
    quotas = {label: int(rows * share) for label, share in LABEL_SHARES.items()}
    quotas["network"] += rows - sum(quotas.values())
    return quotas


def _collect_sentences() -> dict[str, list[str]]:
    """Return the sentences of each area that occur in no other, in order of preference."""
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
        warnings.simplefilter("ignore", SyntaxWarning)  # about escapes in the library's source
        tree = ast.parse(source.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield docstring


def _extract_first_sentence(docstring: str) -> str | None:
    """Return the first paragraph's first sentence, if it is plain prose of a usual length."""
    paragraph = " ".join(re.split(r"\n[^\S\n]*\n", docstring, maxsplit=1)[0].split())
    sentence = re.split(r"(?<=\.) (?=[A-Z])", paragraph, maxsplit=1)[0]
    fits = MIN_WORDS <= len(sentence.split()) <= MAX_WORDS
    return sentence if fits and PROSE_PATTERN.fullmatch(sentence) else None
