"""Files that were uploaded for entries yet to be written. ticket-svc owns them."""

from uuid import UUID

from deskwire.contracts.base import Command
from deskwire.contracts.entries import StoredFile


class KeepUpload(Command[StoredFile], name="attachment.keep.v1"):
    """A file is in the blob store, for an entry that names it within a day.

    ``uploader`` is who may use it: ``agent:7``, or ``key:5`` of a key without an agent. What has
    the same ``request_id`` is the same upload: the one kept first is the answer, and a ``blob_id``
    that is not in the answer has no use.
    """

    request_id: UUID
    uploader: str
    blob_id: str
    name: str
    type: str
    size: int
    sha256: str
