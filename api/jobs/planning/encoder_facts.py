"""Look up the facts about the model that a job starts from."""

from dataclasses import replace

from api.dependencies import AppServices
from shared.db.models import Models
from shared.domain.naming import FINE_TUNED_PREFIX, get_base_name
from shared.encoders.catalogue import EncoderFacts


def get_encoder_facts(services: AppServices, model: str) -> EncoderFacts:
    """Return the facts about a base model, or about the base model of a fine-tuned one.

    Raises ModelNotAllowed, or ModelInUse while a fine-tuned model may still be replaced.
    """
    if not model.startswith(FINE_TUNED_PREFIX):
        return services.catalogue.get_facts(model)
    with services.database.read() as session:
        Models(session, services.owner_id).get_for_new_job(model)
    return replace(services.catalogue.get_facts(get_base_name(model)), name=model)
