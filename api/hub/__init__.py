"""``hf://`` data sets: read from the hub at a job's creation and kept as an ordinary file, if
the operator allows it.

1. ``reference`` says what ``hf://owner/name/config@revision:split`` means.
2. ``client`` asks the hub for the commit, the card and the list of files, and downloads some:
   within bounds of bytes, time and hosts.
3. ``card`` tells which of the files make up the split: as the card says, else by the files' own
   names.
4. ``rows`` joins them to one file of JSON Lines, with the names of labels that the card gives
   for their numbers.
5. ``service`` is the way from first to last.

``HUB_ERRORS`` are the errors of an operation that takes such a reference.

Two requests are all that is needed of the hub. Its own Python client would bring a second HTTP
library, and downloads without a bound.
"""

from shared.domain.errors import (
    DatasetNotFound,
    DatasetTooLarge,
    HubNotAllowed,
    HubNotReachable,
    ServiceBusy,
)

HUB_ERRORS = (HubNotAllowed, DatasetNotFound, DatasetTooLarge, HubNotReachable, ServiceBusy)
