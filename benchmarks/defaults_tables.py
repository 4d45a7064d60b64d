"""Tables and sentences of the page of defaults, from the standings of its cells."""

from collections.abc import Iterator, Sequence

from benchmarks.contenders.spread_records import SpreadSummary
from benchmarks.defaults_analysis import (
    REGRET_GOAL,
    TRIVIAL_BASELINES,
    CellStandings,
    Difference,
    Standing,
)
from benchmarks.defaults_figure import format_contender
from benchmarks.results import format_verdict
from shared.report.formatting import format_number, format_spread

SPREAD_GOAL = 0.5
"""Largest spread of jobs, relative to that of single runs."""


def iterate_summary(cells: Sequence[CellStandings]) -> Iterator[str]:
    yield "## Where the default stands\n"
    compared = [cell for cell in cells if cell.get("default")]
    if not compared:
        yield "The default is not measured yet in any cell.\n"
        return
    yield (
        "| data | rows | default | published | against conventional | strongest baseline "
        "| regret against the grid | search steps |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for cell in compared:
        yield _format_row(_list_summary_cells(cell))
    yield ""
    yield from _iterate_verdicts(compared, "loses", -1)
    yield from _iterate_verdicts(compared, "wins", 1)
    yield from _iterate_regrets(compared)


def _list_summary_cells(cell: CellStandings) -> list[str]:
    default, baseline = cell.get("default"), cell.strongest_baseline
    assert default is not None
    assert default.record is not None
    differences = {one.other: one for one in cell.list_differences()}
    return [
        cell.cell.data_set,
        f"{cell.cell.rows:,}",
        _format_mean(default),
        _format_published(default),
        _format_difference(differences.get("conventional")),
        "–"
        if baseline is None
        else f"{format_contender(baseline.name)} {format_number(baseline.mean)}",
        "–" if cell.regret is None else format_number(cell.regret),
        _format_search(default),
    ]


def _iterate_verdicts(cells: Sequence[CellStandings], verb: str, sign: int) -> Iterator[str]:
    """List the differences with this sign that are more than noise.

    That something is better than a constant answer is no win, but being worse is a loss.
    """
    ignored = TRIVIAL_BASELINES if sign > 0 else frozenset()
    yield f"Where the default **{verb}** (p < 0.05):\n"
    found = [
        f"- {cell.cell.data_set}, {cell.cell.rows:,} rows: against "
        f"{format_contender(one.other)} by {format_number(abs(one.value))} {cell.metric} "
        f"(p {_format_relation(one.p)})"
        for cell in cells
        for one in cell.list_differences()
        if one.is_significant and one.value * sign > 0 and one.other not in ignored
    ]
    yield from found or ["- nowhere, as far as these seeds can show"]
    yield ""


def _iterate_regrets(cells: Sequence[CellStandings]) -> Iterator[str]:
    known = [cell for cell in cells if cell.regret is not None]
    if not known:
        return
    high = [
        f"{cell.cell.data_set} {cell.cell.rows:,} ({format_number(cell.regret)})"
        for cell in known
        if (cell.regret or 0.0) > REGRET_GOAL
    ]
    yield (
        f"The regret against the grid's best is at most {REGRET_GOAL:g} in "
        f"{len(known) - len(high)} of {len(known)} cells"
        + (f"; it is larger in {', '.join(high)}.\n" if high else ".\n")
    )


def iterate_spreads(spreads: Sequence[SpreadSummary]) -> Iterator[str]:
    """Compare the spread of published models with that of single runs."""
    yield "## How steady a job is\n"
    yield (
        "Whole default jobs on the same rows, with disjoint seeds: the standard deviation of the "
        "published models' test scores, and the share of the test rows on which two of them "
        "disagree, beside the same for all single runs of these jobs. Pilots have the same seeds "
        "in every job. The goal is half of what single runs have, or less "
        "(`python -m benchmarks.job_spread --home DIR`).\n"
    )
    if not spreads:
        yield "Not measured yet.\n"
        return
    yield (
        "| data | rows | jobs × seeds | mean of jobs | std of jobs | std of runs | ratio "
        "| jobs disagree | runs disagree | ratio |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    yield from (_format_row(_list_spread_cells(one)) for one in spreads)
    yield ""


def _list_spread_cells(spread: SpreadSummary) -> list[str]:
    return [
        spread.data_set,
        f"{spread.rows:,}",
        f"{spread.jobs} × {spread.seeds}",
        f"{format_number(spread.job_mean)} {spread.metric}",
        format_spread(spread.job_std, 4),
        format_spread(spread.run_std, 4),
        _format_ratio(spread.job_std, spread.run_std),
        _format_share(spread.job_disagreement),
        _format_share(spread.run_disagreement),
        _format_ratio(spread.job_disagreement, spread.run_disagreement),
    ]


def _format_share(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}%"


def _format_ratio(of_jobs: float | None, of_runs: float | None) -> str:
    """Format a figure of jobs relative to that of runs, with whether it meets the goal."""
    if of_jobs is None or not of_runs:
        return "–"
    ratio = of_jobs / of_runs
    return f"{ratio:.2f} ({format_verdict(ratio <= SPREAD_GOAL)})"


def iterate_cell(cell: CellStandings) -> Iterator[str]:
    yield f"{cell.cell.rows:,} rows, {cell.metric} on {cell.test_rows} test rows:\n"
    yield (
        "| contender | mean ± std | worst | published | degenerate | seconds | steps (search) "
        "| default's lead | p |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    differences = {one.other: one for one in cell.list_differences()}
    for one in cell.standings:
        yield _format_row(_list_cells(one, differences.get(one.name)))
    yield ""
    yield from (f"- {format_contender(name)}: {why}" for name, why in cell.skipped.items())
    yield from (_format_choice(one) for one in cell.standings if one.record and one.record.chosen)
    yield ""


def _list_cells(standing: Standing, difference: Difference | None) -> list[str]:
    lead, p = ("–", "–") if difference is None else _list_difference_cells(difference)
    name, record = format_contender(standing.name), standing.record
    if record is None:
        return [name, format_number(standing.mean), "–", "–", "–", "–", "–", lead, p]
    if not record.is_complete:
        name += f" ({len(record.seeds)} of {record.planned_seeds} seeds)"
    known = [one.degenerate for one in record.seeds if one.degenerate is not None]
    return [
        name,
        _format_mean(standing),
        "–" if standing.worst is None else format_number(standing.worst),
        _format_published(standing),
        f"{sum(known)} of {len(known)}" if known else "–",
        "–" if record.seconds is None else f"{record.seconds:,.0f}",
        f"{record.main_steps:,}"
        + (f" ({_format_search(standing)})" if record.search_steps else ""),
        lead,
        p,
    ]


def _list_difference_cells(difference: Difference) -> tuple[str, str]:
    p = "–" if difference.p is None else _format_p(difference.p)
    return f"{difference.value:+.3f}", p


def _format_p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _format_relation(p: float | None) -> str:
    text = "undefined" if p is None else _format_p(p)
    return text if text.startswith("<") else f"= {text}"


def _format_difference(difference: Difference | None) -> str:
    if difference is None:
        return "–"
    value, _ = _list_difference_cells(difference)
    return value if difference.p is None else f"{value} (p {_format_relation(difference.p)})"


def _format_mean(standing: Standing) -> str:
    if standing.mean is None:
        return "–"
    return f"{format_number(standing.mean)} ± {format_spread(standing.std)}"


def _format_published(standing: Standing) -> str:
    published = standing.record and standing.record.published
    if not published:
        return "–"
    return f"{format_number(published.score)} ({published.kind.replace('_', ' ')})"


def _format_search(standing: Standing) -> str:
    record = standing.record
    if record is None or not record.main_steps:
        return "–"
    return f"{record.search_steps / record.main_steps:.1f} ×"


def _format_choice(standing: Standing) -> str:
    assert standing.record is not None
    values = ", ".join(f"{name} {value}" for name, value in standing.record.chosen.items())
    note = f" {standing.record.note}" if standing.record.note else ""
    return f"- {format_contender(standing.name)}: {values}.{note}"


def _format_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
