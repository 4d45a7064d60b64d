"""The page is complete in itself, shows both jobs side by side and takes every name as text."""

import re
from dataclasses import replace
from typing import Any

import pytest

from shared.metrics import ClassScores
from shared.recipe.pilot_schemas import PilotCandidate, PilotPlan, PilotSettings
from shared.report import Baseline, ConfusionMatrix, build_stability_report
from shared.report.comparison import ComparisonInput, build_comparison
from shared.report.figures import SeedCurve
from shared.report.page import JobSection, render_report, render_summary_png
from shared.report.page.render import TEMPLATES
from tests.rows import RECIPE
from tests.shared.report.parsed_page import ParsedPage
from tests.shared.reports import make_discard, make_report, make_results

HOSTILE = "</title></style><script>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 7 * 7 }}"
STABLE, SPREAD = [0.80, 0.81, 0.79, 0.82, 0.80], [0.60, 0.70, 0.75, 0.80, 0.90]


def section(
    title: str, scores: list[float | None], recipe: dict[str, object] | None = None, **more: Any
) -> JobSection:
    curve = SeedCurve(title, 0, False, [(1, 1.0), (2, 0.7)], [(1, 0.5), (2, 0.8)], best_step=2)
    return JobSection(
        title=title,
        report=make_report(scores, job_id=f"ftjob-{len(title)}", **more),
        recipe=recipe or {"preset": title, "learning_rate": 2e-5, "bias_correction": True},
        facts={"base model": "all-MiniLM-L6-v2"},
        curves=(curve,),
    )


@pytest.fixture(scope="module")
def two_jobs() -> str:
    confusion = ConfusionMatrix(labels=["no", "yes"], matrix=[[30, 10], [5, 35]], run_id="ftrun-3")
    a = section(
        "conventional",
        [*SPREAD],
        {
            "preset": "conventional",
            "learning_rate": 2e-5,
            "bias_correction": False,
            "max_steps": 30,
        },
    )
    b = section(
        "stabilized",
        [*STABLE],
        best_run_id="ftrun-3",
        confusion_matrix=confusion,
        fine_tuned_model="ft:m",
    )
    comparison = build_comparison(
        [ComparisonInput(a.report, "conventional"), ComparisonInput(b.report, "stabilized")]
    )
    return render_report([a, b], comparison, heading="Docstrings")


def test_distributions_stand_side_by_side(two_jobs: str) -> None:
    page = ParsedPage(two_jobs)
    assert page.row("mean") == ["0.750", "0.804"]
    assert page.row("standard deviation") == ["0.112", "0.011"]
    assert page.row("median") == ["0.750", "0.800"]
    assert page.row("seeds (n, of planned)") == ["5 of 5", "5 of 5"]
    assert page.row("majority baseline") == ["0.400", "0.400"]


def test_equal_scores_and_few_rows_do_not_read_as_certainty() -> None:
    page = ParsedPage(render_report([section("small", [1.0] * 5, rows=8)]))
    assert page.row("standard deviation") == ["0.000 all equal; 0.062 is not excluded"]
    assert page.row("95% interval of the mean (Student's t)") == ["–"]
    assert page.row("95% interval of the mean (bootstrap)") == ["–"]
    assert page.row("95% interval from the number of rows (Wilson)") == ["0.676 to 1.000"]
    assert page.row("standard error from the number of rows") == ["0.083"]


def test_every_seed_is_listed(two_jobs: str) -> None:
    rows = [row for row in ParsedPage(two_jobs).rows if len(row) == 6]
    assert [row[1] for row in rows[1:]] == ["0.600", "0.700", "0.750", "0.800", "0.900"]
    assert [row[4] for row in rows[1:]] == ["0.800", "0.810", "0.790", "0.820", "0.800"]
    assert rows[4][5] == "succeeded, best"


def test_verdicts_and_warnings_are_said_in_full(two_jobs: str) -> None:
    text = ParsedPage(two_jobs).text
    for scores in (SPREAD, STABLE):
        report = make_report([*scores])
        assert report.verdict.text in text
        assert all(warning.message in text for warning in report.warnings)
    assert "No difference shown at alpha 0.05" in text
    assert "ft:m" in text


def test_settings_that_differ_are_marked(two_jobs: str) -> None:
    page = ParsedPage(two_jobs)
    assert page.row("bias_correction") == ["no", "yes"]
    assert page.row("learning_rate") == ["2e-05", "2e-05"]
    assert page.row("max_steps") == ["30", "–"]
    assert (
        sum(attrs.get("class") == "differs" for _, attrs in page.elements) == 3
    )  # preset, bias_correction, max_steps


def test_all_figures_are_inside(two_jobs: str) -> None:
    page = ParsedPage(two_jobs)
    assert sum(tag == "svg" for tag, _ in page.elements) == 4
    assert "Step size without bias correction, over 30 steps" in page.text
    assert "Confusion matrix of the best run (n = 80 rows)" in page.text


def test_the_page_asks_for_nothing(two_jobs: str) -> None:
    for tag, attrs in ParsedPage(two_jobs).elements:
        assert tag not in {"script", "link", "iframe", "img", "object", "embed"}
        assert not {"src", "href", "xlink:href", "action"} & attrs.keys()
        assert not any(name.startswith("on") for name in attrs)
    assert not re.search(r"@import|url\(", two_jobs)


def test_same_input_same_page(two_jobs: str) -> None:
    job = section("stabilized", [*STABLE])
    assert render_report([job]) == render_report([job])


def make_candidate(depth: int, scores: list[float | None], mean: float) -> PilotCandidate:
    return PilotCandidate(
        reinit_layers=depth, max_steps=40, scores=scores, degenerate=0, failed=0, mean=mean
    )


def test_everything_a_full_report_holds_is_on_the_page() -> None:
    labels = [ClassScores(label=HOSTILE, support=40, precision=0.9, recall=None, f1=0.8)]
    results = make_results(
        [0.80, 0.81, 0.70, 0.72],
        detailed=True,
        early_discard=make_discard(start=4, at_step=20),
        pilots=PilotPlan(
            automatic=["reinit_layers"],
            rule=RECIPE,
            candidates=[make_candidate(1, [0.7, None], 0.7), make_candidate(2, [0.75], 0.75)],
            chosen=PilotSettings(reinit_layers=2, max_steps=40),
            reason=HOSTILE,
            seeds=[0, 1],
            steps=160,
        ),
    )
    runs = tuple(
        replace(
            run,
            init_seed=index // 2,
            data_seed=index % 2,
            curve=[(10, 0.5), (20, 0.6)],
            classes=labels,
        )
        for index, run in enumerate(results.runs)
    )
    discarded = replace(
        runs[0], run_id="ftrun-9", status="discarded", score=None, curve=[(20, 0.3)]
    )
    full = replace(
        results,
        runs=(*runs, discarded),
        early_discard=make_discard(start=5, at_step=20),
        baselines=(*results.baselines, Baseline(name="linear_probe", score=0.75)),
    )
    page = ParsedPage(render_report([JobSection("full", build_stability_report(full), {})]))
    assert page.row("linear probe of the frozen encoder") == ["0.750"]
    assert page.row("init seed")[0] == "2"
    assert page.row(HOSTILE) == ["40", "0.900", "–", "0.800"]
    assert page.row("reinit layers") == ["max steps", "scores", "degenerate", "failed", "mean"]
    assert ["1", "40", "0.7, –", "0", "0", "0.7"] in page.rows
    assert ["2", "40", "0.75", "0", "0", "0.75"] in page.rows
    assert "0.540, 0.600 4 of 5 kept at step 20" in " ".join(page.text.split())
    for title in (
        "Expected score of the best of n seeds",
        "Validation accuracy over the seeds, at each evaluation",
        HOSTILE,
    ):
        assert title in page.text
    assert not {"script", "img"} & {tag for tag, _ in page.elements}


def test_hostile_names_are_text() -> None:
    confusion = ConfusionMatrix(labels=[HOSTILE, "b"], matrix=[[1, 2], [3, 4]], run_id="ftrun-0")
    job = JobSection(
        title=HOSTILE,
        report=make_report(
            [*STABLE],
            job_id=HOSTILE,
            metric=HOSTILE,
            confusion_matrix=confusion,
            fine_tuned_model=HOSTILE,
        ),
        recipe={HOSTILE: HOSTILE},
        facts={HOSTILE: HOSTILE},
        curves=(SeedCurve(HOSTILE, 0, False, [(1, 1.0)], [(1, 0.5)]),),
    )
    contender = ComparisonInput(job.report, HOSTILE)
    html = render_report([job, job], build_comparison([contender, contender]), heading=HOSTILE)
    assert "<script" not in html
    assert "<img" not in html
    assert not {"script", "img"} & {tag for tag, _ in ParsedPage(html).elements}
    assert ParsedPage(html).text.count("<script>alert(1)</script>") > 5
    assert "{{ 7 * 7 }}" in html


@pytest.mark.parametrize(
    ("scores", "settings", "badge"),
    [
        ([], {}, "no result"),
        ([0.8], {}, "not enough seeds"),
        ([0.4] * 6, {"degenerate": range(6)}, "all degenerate"),
        ([0.8, None], {"status": {1: "running"}}, "provisional"),
    ],
)
def test_every_stage_of_a_job_has_a_page(
    scores: list[float | None], settings: dict[str, Any], badge: str
) -> None:
    page = ParsedPage(render_report([section("job", scores, **settings)]))
    assert badge in page.text
    assert "NaN" not in page.text
    assert "None" not in page.text


def test_jobs_of_unequal_numbers_of_seeds() -> None:
    page = ParsedPage(render_report([section("a", [0.8, 0.7]), section("bb", [0.6, 0.5, 0.4])]))
    assert ["", "", "", "2", "0.400", "succeeded"] in page.rows


def test_deleted_jobs_of_a_comparison_keep_their_numbers() -> None:
    a, b = section("conventional", [*SPREAD]), section("stabilized", [*STABLE])
    comparison = build_comparison(
        [ComparisonInput(a.report, "conventional"), ComparisonInput(b.report, "stabilized")]
    )
    for left in ([], [b]):
        page = ParsedPage(render_report(left, comparison))
        assert (
            "It had a mean of 0.750 ± 0.112 over 5 runs, 0 degenerate runs and 0 failed runs."
            in page.text
        )
        assert "stabilized against conventional" in page.text
        assert comparison.pairs[0].verdict.text in page.text
        assert sum(tag == "svg" for tag, _ in page.elements) == 2 * len(left)


def test_jobs_that_have_changed_since_the_comparison_are_named() -> None:
    a, b = section("conventional", [*SPREAD]), section("stabilized", [*STABLE])
    comparison = build_comparison(
        [ComparisonInput(a.report, "conventional"), ComparisonInput(b.report, "stabilized")]
    )
    extended = section("stabilized", [*STABLE, 0.8])
    text = ParsedPage(render_report([a, extended], comparison)).text
    assert "stabilized had 5 runs with a score when it was compared and has 6 now" in text
    assert "conventional had" not in text
    assert "when it was compared" not in ParsedPage(render_report([a, b], comparison)).text


CONTENT_PX = {400: 368, 800: 752, 1280: 832}
"""Width of the content by that of the window (report.css)."""


def list_svgs(html: str) -> list[str]:
    return re.findall(r"<svg.*?</svg>", html, re.DOTALL)


def test_every_text_of_a_figure_is_legible_at_every_width(two_jobs: str) -> None:
    for svg in list_svgs(two_jobs):
        view = r'viewBox="[-\d]+ [-\d]+ (\d+) \d+"'
        head = re.match(rf'<svg [^>]*style="min-width:(\d+)px" {view}>', svg)
        assert head is not None, svg[:300]
        least, natural = map(int, head.groups())
        sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)(?:px)?"', svg)]
        assert len(sizes) == svg.count("<text")
        for content in CONTENT_PX.values():
            assert min(sizes) * max(content, least) / natural >= 12
        assert least <= CONTENT_PX[800], "figures scroll on narrow screens only"


def test_no_text_of_the_page_is_smaller_than_twelve_pixels() -> None:
    css = (TEMPLATES / "report.css").read_text().split("@media print")[0]
    assert all(float(size) >= 12 for size in re.findall(r"font-size: ([\d.]+)px", css))
    assert all(float(size) >= 12 for size in re.findall(r"font: ([\d.]+)px", css))
    [aside] = re.findall(r"\.aside { [^}]*font-size: ([\d.]+)em", css)
    [code] = re.findall(r"code { font: ([\d.]+)em", css)
    assert float(aside) * 15 >= 12  # in tables
    assert float(code) * 13 >= 12  # in the footer


def test_everything_wide_scrolls_in_a_named_region_that_the_keyboard_reaches(
    two_jobs: str,
) -> None:
    elements = ParsedPage(two_jobs).elements
    wide = [index for index, (tag, _) in enumerate(elements) if tag in {"table", "svg"}]
    assert wide
    for index in wide:
        _, attrs = elements[index - 1]
        assert (attrs["class"], attrs["role"], attrs["tabindex"]) == ("scroll", "region", "0")
        assert attrs["aria-label"]


def test_no_job_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one job"):
        render_report([])


def test_summary_picture_is_a_png() -> None:
    assert render_summary_png([("a", make_report([*STABLE]))]).startswith(b"\x89PNG\r\n")
