"""Asking every owner to tell its documents anew."""

from deskwire.contracts.base import Event


class ReplayDocuments(Event, name="documents.replay.v1"):
    """To all owners: tell everything, as the events that are told of a change.

    Without a kind it begins all of them; an owner goes on with its own kinds by itself, a page a
    message, and takes no notice of the others'.
    """

    kind: str = ""
    after_id: int = 0
