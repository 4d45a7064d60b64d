"""The error that ends the reading of a file; its code is one of ``shared.datasets.errors``."""


class ParquetError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def make_size_error(limits: dict[str, int]) -> ParquetError:
    megabytes = limits["max_decompressed_bytes"] // 1024**2
    return ParquetError(
        "decompressed_too_large", f"The file unpacks to more than {megabytes:,} MB."
    )
