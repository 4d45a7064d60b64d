"""Text in another encoding, and CSV, TSV and JSON that cannot be read."""

from tests.shared.datasets.bad_uploads.upload import GOOD_CSV, BadUpload
from tests.shared.datasets.files import REVIEWS, jsonl_bytes, tsv_bytes

NESTED = b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b', "label": "a"}\n'

BAD_TEXT: list[BadUpload] = [
    # text in another encoding
    BadUpload(
        "utf-16", "data.csv", lambda: GOOD_CSV.decode().encode("utf-16"), 422, "encoding_not_utf8"
    ),
    BadUpload(
        "utf-16 without mark",
        "data.csv",
        lambda: GOOD_CSV.decode().encode("utf-16-le"),
        422,
        "encoding_not_utf8",
    ),
    BadUpload(
        "utf-32", "data.csv", lambda: GOOD_CSV.decode().encode("utf-32"), 422, "encoding_not_utf8"
    ),
    BadUpload(
        "latin-1",
        "data.csv",
        lambda: "text,label\nein Café,a\nnaïv,b\n".encode("latin-1"),
        422,
        "encoding_not_utf8",
    ),
    BadUpload(
        "latin-1 json",
        "d.jsonl",
        lambda: '{"text": "Café"}\n'.encode("latin-1"),
        422,
        "encoding_not_utf8",
    ),
    BadUpload(
        "latin-1 far down",
        "d.tsv",
        lambda: b"text\tlabel\n" + b"a b\t1\n" * 40_000 + b"\xe9\t0\n",
        422,
        "encoding_not_utf8",
    ),
    BadUpload(
        "surrogate bytes",
        "data.tsv",
        lambda: b"text\tlabel\na \xed\xa0\x80\t1\n",
        422,
        "encoding_not_utf8",
    ),
    BadUpload(
        "NUL in csv", "data.csv", lambda: b"text,label\ngood\0film,a\nbad,b\n", 422, "invalid_text"
    ),
    BadUpload(
        "NUL in tsv",
        "data.tsv",
        lambda: b"text\tlabel\ngood\0film\ta\nbad\tb\n",
        422,
        "invalid_text",
    ),
    BadUpload(
        "NUL in jsonl", "data.jsonl", lambda: b'{"text": "a\0b", "label": 1}\n', 422, "invalid_text"
    ),
    # delimited
    BadUpload(
        "prose", "data.txt", lambda: b"Once upon a time\nthere was a file.\n", 422, "not_a_table"
    ),
    BadUpload("one column", "data.csv", lambda: b"first\nsecond\nthird\n", 422, "not_a_table"),
    BadUpload(
        "quote never closed",
        "data.csv",
        lambda: b'text,label\na,1\n"b,0\nc,1\nd,0\n',
        422,
        "csv_malformed",
    ),
    BadUpload(
        "quote never closed, large",
        "d.csv",
        lambda: b'text,label\n"b,0\n' + b"word,1\n" * 30_000,
        422,
        "csv_malformed",
    ),
    BadUpload(
        "text after a closing quote",
        "d.csv",
        lambda: b'text,label\n"a" or b,1\nc,0\n',
        422,
        "csv_malformed",
    ),
    BadUpload(
        "carriage returns alone",
        "data.csv",
        lambda: GOOD_CSV.replace(b"\n", b"\r"),
        422,
        "csv_malformed",
    ),
    BadUpload(
        "carriage return in a csv cell",
        "d.csv",
        lambda: b"text,label\na\rb,1\nc,0\n",
        422,
        "csv_malformed",
    ),
    BadUpload(
        "carriage returns alone, tabs",
        "d.tsv",
        lambda: tsv_bytes(REVIEWS, "\r"),
        422,
        "csv_malformed",
    ),
    BadUpload(
        "column name too large",
        "d.csv",
        lambda: b"text," + b"a" * 131_073 + b"\na,1\n",
        422,
        "csv_field_too_large",
    ),
    BadUpload("one line of 5 MB", "data.csv", lambda: b"a" * 5_000_000, 422, "csv_field_too_large"),
    BadUpload(
        "a million columns", "d.csv", lambda: b"a," * 1_000_000 + b"\n", 422, "csv_too_many_columns"
    ),
    BadUpload(
        "five million columns",
        "d.tsv",
        lambda: b"a\t" * 5_000_000 + b"\n",
        422,
        "csv_too_many_columns",
    ),
    BadUpload(
        "too many rows", "d.csv", lambda: b"text,label\n" + b"a,1\n" * 200_001, 422, "too_many_rows"
    ),
    BadUpload(
        "too many cells", "d.csv", lambda: (b"a," * 999 + b"1\n") * 5_001, 422, "too_many_cells"
    ),
    # JSON
    BadUpload("json array of texts", "data.json", lambda: b'["a", "b"]\n', 422, "json_malformed"),
    BadUpload(
        "json over several lines",
        "d.json",
        lambda: b'{\n "text": "a",\n "label": 1\n}\n',
        422,
        "jsonl_malformed",
    ),
    BadUpload(
        "json cut short",
        "d.jsonl",
        lambda: b'{"text": "a", "label": 1}\n{"text": "b", "la',
        422,
        "jsonl_malformed",
    ),
    BadUpload(
        "json of scalars", "d.jsonl", lambda: b'{"text": "a"}\n"b"\n3\n', 422, "jsonl_malformed"
    ),
    BadUpload("json nested deeply", "d.jsonl", lambda: NESTED, 422, "jsonl_malformed"),
    BadUpload("csv named jsonl", "d.jsonl", lambda: GOOD_CSV, 422, "jsonl_malformed"),
    BadUpload(
        "json key too large",
        "d.jsonl",
        lambda: jsonl_bytes([{"a" * 131_073: "text"}]),
        422,
        "field_too_large",
    ),
    BadUpload(
        "json of many keys",
        "d.jsonl",
        lambda: jsonl_bytes({str(i): 1} for i in range(1001)),
        422,
        "too_many_columns",
    ),
]
