"""The data sets of the benchmark of defaults, by name."""

from benchmarks.data_sets.glue_rows import list_glue_data_sets
from benchmarks.data_sets.library_rows import list_library_data_sets

DATA_SETS = {one.name: one for one in (*list_glue_data_sets(), *list_library_data_sets())}
