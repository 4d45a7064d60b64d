"""What the catalogue shows of each model that a job can start from, wherever it lies."""

from dataclasses import dataclass
from typing import Literal

from shared.domain.errors import ModelNotAllowed
from shared.encoders.catalogue import Catalogue, EncoderFacts
from shared.encoders.details import EncoderDetails, read_details

Source = Literal["bundled", "folder", "upload", "hub"]
OFFLINE_DETAILS = EncoderDetails(
    parameters=22_713_216,
    num_attention_heads=12,
    languages=("en",),
    pooling="mean",
    license="apache-2.0",
)
"""What the files of the offline encoder say, for an API without them."""


@dataclass(frozen=True)
class CatalogueEntry:
    """A model that a job can start from."""

    id: str
    """As ``model`` of a job."""
    source: Source
    facts: EncoderFacts | None
    """None for a model of the hub that has not been looked up."""
    details: EncoderDetails
    name: str | None = None
    """A second name for ``id``."""
    created_at: float = 0.0
    """Unix seconds; 0 where nobody uploaded it."""


def list_installed_entries(catalogue: Catalogue) -> list[CatalogueEntry]:
    """List the bundled encoder, then the usable folders by name."""
    entries = (find_installed_entry(catalogue, name) for name in catalogue.list_names())
    return [entry for entry in entries if entry is not None]


def find_installed_entry(catalogue: Catalogue, name: str) -> CatalogueEntry | None:
    """Return the entry of a bundled model or a folder; None if it is neither, or unusable."""
    if not catalogue.is_known(name):
        return None
    try:
        facts = catalogue.get_facts(name)
    except ModelNotAllowed:
        return None
    source: Source = "folder" if catalogue.has_folder(name) else "bundled"
    return CatalogueEntry(name, source, facts, _read_details_of(catalogue, name))


def _read_details_of(catalogue: Catalogue, name: str) -> EncoderDetails:
    try:
        return read_details(catalogue.get_folder(name))
    except ModelNotAllowed:  # without the worker's packages; jobs can still start from it
        return OFFLINE_DETAILS
