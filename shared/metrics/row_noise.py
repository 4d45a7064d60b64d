"""Noise of a score that comes from the number of rows it is computed on."""

import math


def estimate_row_noise(metric: str, score: float, rows: int) -> float:
    """Return the standard error of a correlation, of Matthews' (a correlation too), or of a share.

    A score below 0, or a share below one half, counts as that, so the error never grows with the
    score: a better candidate makes no other one a winner.
    """
    known = min(max(score, 0.0), 1.0)
    spread = 1 - known * known
    if metric not in ("pearson", "spearman"):
        share = max(known, 0.5)
        spread = math.sqrt(spread if metric == "mcc" else share * (1 - share))
    return spread / math.sqrt(max(rows, 1))
