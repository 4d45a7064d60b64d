"""``hf://`` data sets: downloaded from the hub when a job is created, and kept as ordinary files.

1. ``reference`` parses ``hf://owner/name/config@revision:split``.
2. ``client`` requests the commit, the card and the list of files, and downloads files, within
   bounds of bytes, time and hosts.
3. ``card`` chooses the config of the data set; ``split_files`` the files of each split.
4. ``rows`` joins the files into one file of JSON Lines, with the label names of the card.
5. ``service`` runs these steps in order.

``HUB_ERRORS`` are the errors of an operation that accepts such a reference, ``MODEL_ERRORS`` those
of one that accepts a model of the hub (``shared.encoders.hub``).

Two kinds of requests are needed, so ``client`` makes them with httpx. Models of the hub are
downloaded by workers, through ``huggingface_hub`` within bounds (``shared.encoders.hub``).
"""

from shared.domain.errors import (
    DatasetNotFound,
    DatasetTooLarge,
    HubNotAllowed,
    HubNotReachable,
    ModelNotFound,
)
from shared.domain.limit_errors import ServiceBusy

MODEL_ERRORS = (HubNotAllowed, ModelNotFound, HubNotReachable, ServiceBusy)
HUB_ERRORS = (*MODEL_ERRORS, DatasetNotFound, DatasetTooLarge)
