"""What the joined file of a split keeps of unreadable values and of class names."""

import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from api.hub.rows import JoinedRowsWriter
from shared.datasets import Limits, build_validation, read_table
from shared.datasets.class_names import ClassNames, build_class_names

STARS: ClassNames = build_class_names(["1", "2", "3"])


def join(folder: Path, table: pa.Table) -> Path:
    """Write the table as a file of a split, and return the joined file."""
    pq.write_table(table, folder / "part.parquet")
    joined = folder / "joined.jsonl.gz"
    target = io.BytesIO()
    writer = JoinedRowsWriter(target, {"label": STARS}, Limits(), "training_file")
    writer.add_file(folder / "part.parquet", "part.parquet")
    writer.close()
    joined.write_bytes(target.getvalue())
    return joined


def test_classes_are_named_once(tmp_path: Path) -> None:
    feature = {"_type": "ClassLabel", "names": ["1", "2", "3"]}
    info = {"info": {"features": {"label": feature}}}
    plain = pa.table({"text": ["a", "b", "c"], "label": [0, 2, -1]})
    described = plain.replace_schema_metadata({"huggingface": json.dumps(info)})
    for table in (plain, described):
        lines = gzip.decompress(join(tmp_path, table).read_bytes()).splitlines()
        assert [json.loads(line)["label"] for line in lines] == ["1", "3", ""]


def test_unreadable_values_stay_unreadable(tmp_path: Path) -> None:
    columns = {"text": ["a", "b"], "label": [0, 1], "vec": [[0.5], [1.5]], "raw": [b"x", b"y"]}
    joined = join(tmp_path, pa.table(columns))
    validation = build_validation(read_table(joined, joined.name))
    assert validation.valid
    [said] = [one for one in validation.warnings if one.code == "unused_columns_ignored"]
    assert said.message.endswith(": vec, raw.")
