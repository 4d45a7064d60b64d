"""The plan of a new job: from its request to the rows that are stored.

``job_plan`` takes the steps in order: it loads the files (``job_files``), reads and splits their
rows (``job_data``), resolves the recipe with its pilots (``shared.recipe``), and builds the runs
(``main_runs``, ``baseline_run``, ``discard_plan``). ``dry_run`` shows a plan without storing it.
"""
