"""Parquet files that are damaged, unsupported or too large."""

from tests.shared.datasets.bad_uploads.upload import BadUpload
from tests.shared.datasets.files import parquet_bytes


def parquet_bomb() -> bytes:
    """A few kB that are 4 GB of text: one text of 20,000 letters, referred to from 200,000 rows."""
    import pyarrow as pa

    text = pa.DictionaryArray.from_arrays(
        pa.array([0] * 200_000, pa.int32()), pa.array(["x" * 20_000])
    )
    return parquet_bytes({"text": text, "label": ["a", "b"] * 100_000}, compression="zstd")


def parquet_page_bomb() -> bytes:
    """Repetition inside pages that are not dictionaries: some 400 MB in 100 kB, declared in the
    footer.
    """
    return parquet_bytes(
        {"text": ["x" * 20_000 + str(i) for i in range(20_000)]},
        compression="zstd",
        use_dictionary=False,
    )


def parquet_damaged() -> bytes:
    whole = bytearray(
        parquet_bytes({"text": [f"text {i}" for i in range(500)], "label": [0, 1] * 250})
    )
    whole[40:400] = bytes(360)
    return bytes(whole)


BAD_PARQUET: list[BadUpload] = [
    # Parquet
    BadUpload(
        "parquet in name only",
        "d.parquet",
        lambda: b"PAR1" + b"a,b\n1,2\n" * 10,
        422,
        "parquet_malformed",
    ),
    BadUpload(
        "parquet cut short",
        "d.parquet",
        lambda: parquet_bytes({"a": ["x"], "b": [1]})[:-9],
        422,
        "parquet_malformed",
    ),
    BadUpload("parquet damaged", "d.parquet", parquet_damaged, 422, "parquet_malformed"),
    BadUpload(
        "parquet of lists of lists",
        "d.parquet",
        lambda: parquet_bytes({"a": [[["x"]]]}),
        422,
        "parquet_column_not_supported",
    ),
    BadUpload(
        "parquet of bytes",
        "d.parquet",
        lambda: parquet_bytes({"a": [b"x"]}),
        422,
        "parquet_column_not_supported",
    ),
    BadUpload(
        "parquet wide",
        "d.parquet",
        lambda: parquet_bytes({str(i): [1] for i in range(1001)}),
        422,
        "too_many_columns",
    ),
    BadUpload(
        "parquet long",
        "d.parquet",
        lambda: parquet_bytes({"a": [1] * 200_001}),
        422,
        "too_many_rows",
    ),
    BadUpload("parquet bomb", "d.parquet", parquet_bomb, 422, "decompressed_too_large"),
    BadUpload(
        "parquet bomb in pages", "d.parquet", parquet_page_bomb, 422, "decompressed_too_large"
    ),
]
