"""Child process that unpacks one Parquet file under ceilings on memory and CPU time and writes its
rows as lines of JSON. ``shared.datasets.readers.parquet`` starts it and reads the lines.

Messages, in this order:

- ``{"columns": [names], "unread": {index: problem}, "features": text}``: columns of a type that
  cannot be read, with their problem, and what the ``datasets`` library has written about columns;
- for each row ``[cells]`` of the other columns, each a text, a list of texts, a problem (``{"code",
  "message"}``), or the number of characters of a value above the limit;
- ``{"end": rows}``. Or ``{"error": code, "message"}`` at any time, and nothing after it.

The package uses the standard
library and pyarrow only, so that it starts fast and has nothing to leak; for the same reason it
lies outside ``shared.datasets``, whose import loads much more.
"""
