"""What the pages list is what there is: every error that is answered, every setting that an
operator may want.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from api.errors import InternalError
from shared.datasets import Format, UnreadableFile
from shared.db.migrate import DatabaseTooNew
from shared.domain import job_facts
from shared.domain.errors import ServiceError
from shared.domain.limit_errors import RetryLater
from shared.encoders.archive.errors import UnusableArchive
from shared.encoders.families import FAMILIES
from shared.infra.settings import Settings
from shared.metrics import METRICS
from shared.recipe import PRESETS
from tests.docs.blocks import pages

ROOT = Path(__file__).parents[2]
NEVER_ANSWERED = {ServiceError, RetryLater, UnreadableFile, UnusableArchive, DatabaseTooNew}
"""Four that only others derive from, and one that keeps a process from starting."""

SOURCE_REFERENCE = re.compile(
    r"`((?:api|benchmarks|cli|shared|tests|worker)/[\w./-]+)(?:::(\w+))?[\w., ()=]*`"
)
"""A path of the tree in backticks, with a name defined in the file or without."""

NOT_FOR_OPERATORS = {"lease_seconds", "heartbeat_seconds", "requeue_seconds", "tick_seconds"}
"""How the parts watch each other: tests shorten it, and nobody gains by another value."""


def _answered(error: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for kind in error.__subclasses__():
        if not kind.__module__.startswith(("worker", "tests")):
            yield kind
            yield from _answered(kind)


def test_the_table_of_errors_is_all_of_them() -> None:
    assert InternalError in set(_answered(ServiceError))
    rows = re.findall(
        r"^\| (\d{3}) \| (.+?) \|", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE
    )
    told = [(int(status), code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)]
    assert len(told) == len(set(told))
    assert set(told) == {
        (kind.status, kind.code) for kind in set(_answered(ServiceError)) - NEVER_ANSWERED
    }


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_setting_that_an_operator_may_want_reaches_the_containers() -> None:
    compose = [
        ROOT / name for name in ("docker-compose.yml", "docker-compose.gpu.yml", "Dockerfile")
    ]
    passed_on = set(
        re.findall(r"EVENKEEL_([A-Z_]+)[:=]", "\n".join(file.read_text() for file in compose))
    )
    wanted = {name.upper() for name in Settings.model_fields.keys() - NOT_FOR_OPERATORS}
    assert wanted <= passed_on


def test_what_compose_hands_on_is_told_to_whoever_fills_in_env() -> None:
    handed_on = re.findall(
        r"^ +(EVENKEEL_[A-Z_]+):(?: *#.*)?$",
        (ROOT / "docker-compose.yml").read_text(),
        re.MULTILINE,
    )
    told = (ROOT / ".env.example").read_text()
    assert len(handed_on) > 10
    assert [name for name in handed_on if name not in told] == []


def test_the_newest_version_of_the_changelog_is_the_one_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == project["version"]


def test_links_between_pages_lead_somewhere() -> None:
    for page in pages(ROOT):
        text = page.read_text()
        for target in re.findall(r"\]\((?!https?:)([^)#]*)(?:#[^)]*)?\)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_index_lists_every_page_and_the_heading_of_every_decision() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    listed = re.findall(r"^\| \[\d{4}\]\((decisions/.+)\) \| (.+) \|$", index, re.MULTILINE)
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert listed == [
        (f"decisions/{page.name}", page.read_text().partition("\n")[0].split(maxsplit=2)[2])
        for page in decisions
    ]
    names = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert [name for name in sorted(names - {"README.md"}) if f"]({name})" not in index] == []


def test_files_and_names_that_pages_refer_to_exist() -> None:
    for page in [ROOT / "CONTRIBUTING.md", *pages(ROOT)]:
        for path, name in SOURCE_REFERENCE.findall(page.read_text()):
            assert (ROOT / path).exists(), f"{page.name}: {path}"
            defined = rf"^\s*(?:(?:def|class) {name}\b|{name}\b.*=)"
            source = (ROOT / path).read_text() if name else ""
            assert re.search(defined, source, re.MULTILINE) or not name, f"{page.name}: {name}"


def _list_job_warning_codes() -> Iterator[str]:
    """Yield the codes of the warnings that planning and the worker give to a job."""
    sources = [*(ROOT / "api" / "jobs").rglob("*.py"), *(ROOT / "worker").rglob("*.py")]
    for tree in (ast.parse(source.read_text()) for source in sources):
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", getattr(call.func, "attr", None))
            if name == "add_warning":
                yield from _list_texts(call.args[1], tree)
            elif name == "JobWarning":
                [code] = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
                yield from _list_texts(code, tree)


def _list_texts(code: ast.expr, tree: ast.AST) -> Iterator[str]:
    """Yield what an expression may be: a text, a constant of its module, or a local variable."""
    if isinstance(code, ast.Constant):
        yield str(code.value)
    elif isinstance(code, ast.Name) and hasattr(job_facts, code.id):
        yield getattr(job_facts, code.id)
    elif isinstance(code, ast.Name):
        values = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == code.id
        ]
        assert values, f"the code {code.id} is neither a text nor assigned in its module"
        for part in (part for value in values for part in ast.walk(value)):
            if isinstance(part, ast.Constant):
                yield str(part.value)
    else:  # a file's warning, whose code the table of files has
        assert ast.unparse(code) == "finding.code"


def _list_documented_codes(page: str) -> list[str]:
    """List the codes of the first table below the heading "Warnings"."""
    table = (ROOT / "docs" / page).read_text().split("\n## Warnings\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    return [code for cell in cells for code in re.findall(r"`(\w+)`", cell)]


def test_the_table_of_job_warnings_is_all_of_them() -> None:
    documented = _list_documented_codes("jobs.md")
    assert len(documented) == len(set(documented))
    assert set(documented) == set(_list_job_warning_codes())


def test_the_table_of_file_warnings_is_all_of_them() -> None:
    documented = _list_documented_codes("data.md")
    sources = (ROOT / "shared" / "datasets" / "profile").glob("*.py")
    text = "\n".join(source.read_text() for source in sources)
    given = set(re.findall(r'code="(\w+)"|^ +\("(\w+_\w+)", ', text, re.MULTILINE))
    assert {code for pair in given for code in pair if code} <= set(documented)
    assert [code for code in documented if f'"{code}"' not in text] == []


def test_pages_list_every_preset_metric_family_and_format() -> None:
    jobs, recipe, data = (
        (ROOT / "docs" / name).read_text() for name in ("jobs.md", "recipe.md", "data.md")
    )
    assert [preset for preset in PRESETS if f"`{preset}`" not in jobs] == []
    assert [metric for metric in METRICS if not re.search(rf"\b{metric}\b", jobs)] == []
    assert [family for family in FAMILIES if f"`{family}`" not in recipe] == []
    formats = data.split("| format |")[1].split("\n\n")[0]
    assert formats.count("\n| ") == len(Format)
