"""The page of defaults: what it says about wins, losses, regret and what is missing."""

from pathlib import Path

import pytest
from scipy import stats

from benchmarks.contenders.records import PublishedModel, Record, RecordStore
from benchmarks.contenders.spread_records import RepeatedJob, SpreadRecord, summarize_spread
from benchmarks.defaults_analysis import Difference, group_records
from benchmarks.defaults_figure import build_lead_figure
from benchmarks.defaults_page import main, save_records, write_page
from tests.benchmarks.contest import make_record, prepare_reviews

DEFAULT_SCORES = [0.41, 0.43, 0.42, 0.44, 0.40]


def make_records() -> list[Record]:
    default = make_record(
        "default",
        DEFAULT_SCORES,
        search_steps=80,
        published=PublishedModel(kind="ensemble", score=0.45),
        baselines={"majority": 0.0, "linear_probe": 0.5, "tfidf_logistic_regression": None},
        chosen={"learning_rate": 1e-4},
        note="The pilots said so.",
    )
    return [
        make_record("setfit", [], planned_seeds=5, skipped="it has no regression"),
        make_record("grid", [0.46, 0.47, 0.45, 0.44, 0.46], search_steps=700),
        default,
        make_record("conventional", [0.1, 0.2, 0.0, 0.15, 0.1]),
        make_record("conventional_own_rate", [0.3, 0.2, 0.25, 0.3, 0.35]),
        make_record("trainer", [0.42, 0.43], planned_seeds=5),
    ]


def get_differences() -> dict[str, Difference]:
    [cell] = group_records(make_records())
    return {one.other: one for one in cell.list_differences()}


def test_contenders_are_compared_by_welch_and_baselines_as_constants() -> None:
    found = get_differences()
    welch = stats.ttest_ind([0.1, 0.2, 0.0, 0.15, 0.1], DEFAULT_SCORES, equal_var=False)
    assert found["conventional"].p == pytest.approx(welch.pvalue)
    assert found["conventional"].value == pytest.approx(0.42 - 0.11)
    constant = stats.ttest_1samp(DEFAULT_SCORES, 0.5)
    assert found["linear_probe"].p == pytest.approx(constant.pvalue)
    assert "tfidf_logistic_regression" not in found  # has no score
    assert "setfit" not in found


def test_the_regret_and_the_strongest_baseline_of_a_cell() -> None:
    [cell] = group_records(make_records())
    assert cell.regret == pytest.approx(0.456 - 0.42)
    assert cell.strongest_baseline is not None
    assert cell.strongest_baseline.name == "linear_probe"
    assert group_records([make_record("grid", [0.4, 0.5])])[0].regret is None


def write_made_page(folder: Path, records: list[Record]) -> str:
    save_records(records, [], folder)
    return write_page(folder).read_text(encoding="utf-8")


def test_the_page_says_where_the_default_loses_and_wins(tmp_path: Path) -> None:
    page = write_made_page(tmp_path, make_records())
    loses, wins = page.split("**wins**")
    assert "- CoLA, 300 rows: against linear probe of the frozen encoder by 0.080 mcc" in loses
    assert "against best of a grid by 0.036 mcc" in loses
    assert "against conventional (2019) by 0.310 mcc (p < 0.001)" in wins
    assert "against transformers.Trainer" not in page  # no difference beyond noise
    assert "against majority baseline" not in page  # no win
    assert "it is larger in CoLA 300 (0.036)" in page
    assert "| 0.420 ± 0.016 | 0.400 | 0.450 (ensemble) |" in page
    assert "100 (0.8 ×)" in page
    assert "The pilots said so." in page
    picture = tmp_path / "defaults" / "CoLA-tiny.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"defaults/{picture.name}" in page


def test_the_lead_is_drawn_over_contenders_and_the_strongest_baseline(tmp_path: Path) -> None:
    cells = group_records(make_records())
    data = build_lead_figure(cells).spec["datasets"].values()
    leads = {mark["rival"]: mark["lead"] for marks in data for mark in marks if "rival" in mark}
    assert leads == {
        "conventional (2019)": pytest.approx(0.31),
        "conventional, own rate": pytest.approx(0.14),
        "best of a grid": pytest.approx(-0.036),
        "transformers.Trainer": pytest.approx(-0.005),
        "strongest baseline": pytest.approx(-0.08),
    }
    assert "defaults/leads.png" in write_made_page(tmp_path, make_records())
    assert (tmp_path / "defaults" / "leads.png").is_file()
    with pytest.raises(ValueError, match="default is measured"):
        build_lead_figure(group_records([make_record("grid", [0.4, 0.5])]))


def test_the_page_names_what_is_unfinished_left_out_or_missing(tmp_path: Path) -> None:
    page = write_made_page(tmp_path, make_records())
    assert "transformers.Trainer (2 of 5 seeds)" in page
    assert "- SetFit: it has no regression" in page
    missing = page.split("## Not measured")[1]
    assert "- tiny, CoLA, 100, 1,000 rows: all contenders" in missing
    assert "CoLA, 300" not in missing
    assert "docstrings, 100, 300 rows" in missing


def test_a_page_without_the_default_is_possible(tmp_path: Path) -> None:
    page = write_made_page(tmp_path, [make_record("conventional", [0.1, 0.2])])
    assert "The default is not measured yet" in page
    assert "- tiny, CoLA, 300 rows: default job, conventional, own rate, best" in page


def test_equal_scores_have_no_p_value(tmp_path: Path) -> None:
    records = [make_record(name, [0.0, 0.0]) for name in ("default", "conventional")]
    page = write_made_page(tmp_path, records)
    assert "| conventional (2019) | 0.000 ± 0.000 | 0.000 | – | – | 12 | 100 | +0.000 | – |" in page
    assert page.count("nowhere, as far as these seeds can show") == 2


def test_records_of_a_home_are_kept_beside_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, results = tmp_path / "home", tmp_path / "results"
    store = RecordStore(home)
    data = prepare_reviews(home / "data")
    record = make_record("default", [0.3, 0.5], data_set="reviews", rows=data.rows)
    store.put(record)
    assert store.get("tiny", data, "default") == record
    assert store.get("tiny", data, "grid") is None
    store.delete("tiny", data, "default")
    store.put(make_record("default", [0.3, 0.5]))
    arguments = ["defaults_page", "--results", str(results)]
    monkeypatch.setattr("sys.argv", [*arguments, "--home", str(home)])
    main()
    first = (results / "defaults.md").read_text(encoding="utf-8")
    monkeypatch.setattr("sys.argv", arguments)
    main()
    assert (results / "defaults.md").read_text(encoding="utf-8") == first
    with pytest.raises(SystemExit, match="no records"):
        save_records([], [], results)


def make_spread(**changes: object) -> SpreadRecord:
    jobs = [
        RepeatedJob(
            first_seed=first_seed,
            kind="ensemble",
            score=score,
            run_scores=run_scores,
            predictions=list(predictions),
            run_predictions=[list(one) for one in run_predictions],
        )
        for first_seed, score, run_scores, predictions, run_predictions in (
            (0, 0.50, [0.40, 0.60], "aabb", ["aabb", "abab"]),
            (2, 0.52, [0.45, 0.55], "aaba", ["bbaa", "aabb"]),
        )
    ]
    record = SpreadRecord(
        model="tiny", data_set="CoLA", rows=300, metric="accuracy", seeds=2, jobs=jobs
    )
    return record.model_copy(update=changes)


def test_the_spread_of_jobs_is_compared_with_that_of_all_runs(tmp_path: Path) -> None:
    summary = summarize_spread(make_spread())
    assert summary.job_std == pytest.approx(stats.tstd([0.5, 0.52]))
    assert summary.run_std == pytest.approx(stats.tstd([0.4, 0.6, 0.45, 0.55]))
    assert summary.job_disagreement == 0.25
    # pairs of runs differ in 2, 4, 0, 2, 2 and 4 of 4 rows
    assert summary.run_disagreement == pytest.approx(14 / 24)
    save_records(make_records(), [summary], tmp_path)
    page = write_page(tmp_path).read_text(encoding="utf-8")
    assert "| CoLA | 300 | 2 × 2 | 0.510 accuracy | 0.0141 | 0.0913 | 0.15 (met) |" in page
    assert "| 25.0% | 58.3% | 0.43 (met) |" in page


def test_a_regression_has_no_disagreement_and_one_job_no_spread() -> None:
    summary = summarize_spread(make_spread(is_regression=True))
    assert (summary.job_disagreement, summary.run_disagreement) == (None, None)
    alone = summarize_spread(make_spread(jobs=make_spread().jobs[:1]))
    assert (alone.job_std, alone.job_disagreement) == (None, None)
