"""Diagnosis of a job: which problems its runs show, with the evidence and the setting to try.

The findings follow from rules, not from a model; a rule without evidence yields nothing. Advice
is computed: a length is the one that ``max_steps: "auto"`` would choose for these rows (twice
the used length if that is longer), a rate is a fixed factor below or above the one used.
"""

from shared.report.diagnosis.diagnose import diagnose_job
from shared.report.diagnosis.facts import JobFacts, RunFacts

__all__ = ["JobFacts", "RunFacts", "diagnose_job"]
