"""Child process that unpacks one Parquet file under ceilings on memory and CPU time and writes its
rows as lines of JSON. ``shared.datasets.readers.parquet`` starts it and reads the lines.

Messages, in this order: ``{"columns": [names]}``; for each row ``[cells]``, each a text or a
list of texts, or ``{"column", "code", "problem"}`` for an unusable row; ``{"end": rows}``. Or
``{"error": code, "message"}`` at any time, and nothing after it. The package uses the standard
library and pyarrow only, so that it starts fast and has nothing to leak; for the same reason it
lies outside ``shared.datasets``, whose import loads much more.
"""
