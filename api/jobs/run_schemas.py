"""Which runs a job has, on the wire: seeds, a grid of them, an early discard among them, and
further ones.
"""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_STRICT = ConfigDict(
    frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
)

Seed = Annotated[int, Field(ge=0, lt=2**31)]
SeedList = Annotated[
    list[Seed], Field(min_length=1, max_length=200, json_schema_extra={"uniqueItems": True})
]


class RunsRequest(BaseModel):
    """How many times to train, and from which seeds; at most 200 runs."""

    model_config = _STRICT

    num_seeds: Annotated[int, Field(ge=1, le=200)] | None = None
    """Runs of the job, 5 unless said otherwise; run i has the seed ``seed + i`` for
    initialisation and data order alike.
    """
    seeds: SeedList | None = None
    """The seeds one by one, instead of a number of them."""
    init_seeds: SeedList | None = None
    """A grid, so that the variance can be split: every seed of the initialisation with every
    one of ``data_seeds``. A run's ``seed`` is then its ``init_seed``.
    """
    data_seeds: SeedList | None = None
    """The grid's seeds of the data order and the dropout; with ``init_seeds``, or with
    ``seeds`` or ``num_seeds`` in their place.
    """

    @model_validator(mode="after")
    def _check_seed_settings(self) -> Self:
        ways = {"num_seeds": self.num_seeds, "seeds": self.seeds, "init_seeds": self.init_seeds}
        given = [name for name, value in ways.items() if value is not None]
        if len(given) > 1:
            raise ValueError(f"give {given[0]} or {given[1]}, not both")
        if self.init_seeds is not None and self.data_seeds is None:
            raise ValueError(
                "init_seeds make a grid with data_seeds; give both, or seeds for both alike"
            )
        for name in ("seeds", "init_seeds", "data_seeds"):
            seeds = getattr(self, name)
            if seeds is not None and len(set(seeds)) != len(seeds):
                raise ValueError(f"{name} names a seed twice: the two runs would be identical")
        return self


class ExtendRequest(BaseModel):
    """Further seeds for a job: a number of them, or one by one."""

    model_config = _STRICT

    num_seeds: Annotated[int, Field(ge=1, le=200)] | None = None
    """So many more, from the next one after the job's highest."""
    seeds: SeedList | None = None
    """The further seeds one by one, none of which the job has."""

    @model_validator(mode="after")
    def _check_seed_settings(self) -> Self:
        if (self.num_seeds is None) == (self.seeds is None):
            raise ValueError("give num_seeds or seeds")
        if self.seeds is not None and len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds names a seed twice: the two runs would be identical")
        return self


class EarlyDiscardRequest(BaseModel):
    """Start many seeds, stop the less promising part-way, continue the best by validation score
    (Dodge et al. 2020).
    """

    model_config = _STRICT

    enabled: bool = True
    """Whether to discard at all."""
    start: Annotated[int, Field(ge=2, le=200)]
    """Seeds to start: the number of the job's runs."""
    keep: Annotated[int, Field(ge=1, le=199)]
    """How many of them go on to the end."""
    at_fraction: Annotated[float, Field(ge=0.05, le=0.9)] = 0.25
    """Share of the steps after which it is decided."""

    @model_validator(mode="after")
    def _check_keep_below_start(self) -> Self:
        if self.keep >= self.start:
            raise ValueError("keep must be smaller than start: else nothing is discarded")
        return self
