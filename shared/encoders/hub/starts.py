"""The models of the hub that the catalogue lists: those in the cache, and the allowed IDs."""

from pathlib import Path

from shared.domain.errors import ModelNotAllowed
from shared.encoders.catalogue import read_encoder_facts
from shared.encoders.catalogue_entries import CatalogueEntry
from shared.encoders.details import EncoderDetails, read_details
from shared.encoders.hub.cache import HubCache
from shared.encoders.hub.ids import ANY, OFF, is_allowed, parse_entries


def list_hub_starts(cache: HubCache, policy: str) -> list[CatalogueEntry]:
    """Return an entry per model that ``policy`` (EVENKEEL_HUB_MODELS) allows and names or that is
    in the cache. The hub is not asked, so a model that is not in the cache has no facts.

    An allowed owner's models are listed once they are in the cache.
    """
    named = [] if policy in (OFF, ANY) else parse_entries(policy)
    cached = {one.repository for one in cache.list_models() if is_allowed(policy, one.repository)}
    folders = {
        name: folder
        for name in sorted(cached.union(named))
        if (folder := cache.find_by_name(name)) is not None
    }
    entries = [_build_entry(name, folder) for name, folder in folders.items()]
    return [
        *(entry for entry in entries if entry is not None),
        *(
            CatalogueEntry(name, "hub", None, EncoderDetails())
            for name in named
            if "/" in name and name not in folders
        ),
    ]


def _build_entry(name: str, folder: Path) -> CatalogueEntry | None:
    """Return the entry of a cached model; None if this version cannot train it."""
    try:
        facts = read_encoder_facts(name, folder)
    except ModelNotAllowed:
        return None
    return CatalogueEntry(name, "hub", facts, read_details(folder))
