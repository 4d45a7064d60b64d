"""Request schemas of a job's runs: seeds, a grid of seeds, an early discard, further seeds."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from api.strict_request import StrictRequest

Seed = Annotated[int, Field(ge=0, lt=2**31)]
SeedList = Annotated[
    list[Seed], Field(min_length=1, max_length=200, json_schema_extra={"uniqueItems": True})
]


class RunsRequest(StrictRequest):
    """How many runs to train, and from which seeds; at most 200 runs."""

    num_seeds: Annotated[int, Field(ge=1, le=200)] | None = None
    """Number of runs, 5 by default. Run i uses the seed `seed + i` for both the initialization and
    the data order."""
    seeds: SeedList | None = None
    """Explicit list of seeds, instead of `num_seeds`."""
    init_seeds: SeedList | None = None
    """Initialization seeds of a grid: each is combined with each of `data_seeds`, so that the
    report can split the variance. A run's `seed` is then its `init_seed`."""
    data_seeds: SeedList | None = None
    """Data order and dropout seeds of a grid; give them with `init_seeds`, `seeds` or
    `num_seeds`."""

    @model_validator(mode="after")
    def _check_seed_settings(self) -> Self:
        ways = {"num_seeds": self.num_seeds, "seeds": self.seeds, "init_seeds": self.init_seeds}
        given = [name for name, value in ways.items() if value is not None]
        if len(given) > 1:
            raise ValueError(f"give {given[0]} or {given[1]}, not both")
        if self.init_seeds is not None and self.data_seeds is None:
            raise ValueError(
                "init_seeds needs data_seeds to form a grid; give both, or give seeds instead"
            )
        for name in ("seeds", "init_seeds", "data_seeds"):
            _check_distinct(name, getattr(self, name))
        return self


class ExtendRequest(StrictRequest):
    """Further seeds of a job: their number, or a list of them."""

    num_seeds: Annotated[int, Field(ge=1, le=200)] | None = None
    """Number of further seeds; they follow the job's highest seed."""
    seeds: SeedList | None = None
    """Explicit list of further seeds; the job must not have any of them."""

    @model_validator(mode="after")
    def _check_seed_settings(self) -> Self:
        if (self.num_seeds is None) == (self.seeds is None):
            raise ValueError("give either num_seeds or seeds")
        _check_distinct("seeds", self.seeds)
        return self


def _check_distinct(name: str, seeds: list[int] | None) -> None:
    if seeds is not None and len(set(seeds)) != len(seeds):
        raise ValueError(f"{name} has a seed twice; give each seed once")


class EarlyDiscardRequest(StrictRequest):
    """Start many runs, compare their validation scores partway, and continue only the best (Dodge
    et al. 2020)."""

    enabled: bool = True
    """Whether to discard runs early."""
    start: Annotated[int, Field(ge=2, le=200)]
    """Number of runs to start, each with its own seed."""
    keep: Annotated[int, Field(ge=1, le=199)]
    """Number of runs that continue to the end."""
    at_fraction: Annotated[float, Field(ge=0.05, le=0.9)] = 0.25
    """Fraction of a run's steps after which the runs are compared."""

    @model_validator(mode="after")
    def _check_keep_below_start(self) -> Self:
        if self.keep >= self.start:
            raise ValueError("keep must be smaller than start, or nothing is discarded")
        return self
