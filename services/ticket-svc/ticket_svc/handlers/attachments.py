"""Files: kept when they are uploaded, linked to an entry, discarded with it."""

from collections.abc import Iterable, Sequence

from pydantic import TypeAdapter

from deskwire.blobs import has_place
from deskwire.contracts import ticket_commands as commands
from deskwire.contracts.attachments import KeepUpload
from deskwire.contracts.entries import Entry, StoredFile
from deskwire.contracts.mail import Attachment
from deskwire.errors import KeyReused, NotFound
from deskwire.messaging.outbox import Transaction
from ticket_svc.store import attachments

_FILES = TypeAdapter(tuple[StoredFile, ...])


async def keep_upload(command: KeepUpload, tx: Transaction) -> StoredFile:
    row = await tx.fetch_one(attachments.KEEP_UPLOAD, **command.model_dump())
    if row is not None:
        return StoredFile.model_validate(dict(row))
    row = await tx.fetch_row(attachments.UPLOAD, request_id=command.request_id)
    kept = StoredFile.model_validate(dict(row))
    if (kept.name, kept.sha256) != (command.name, command.sha256):
        raise KeyReused
    return kept


async def link_uploads(
    command: commands.OpenTicket | commands.AddEntry, tx: Transaction
) -> tuple[StoredFile, ...]:
    """The uploads that the command names, which no other entry can have from now on."""
    if not command.attachment_ids:
        return ()
    rows = await tx.fetch(
        attachments.LINK, ids=list(command.attachment_ids), uploader=command.uploader
    )
    found = {row["id"]: StoredFile.model_validate(dict(row)) for row in rows}
    for id in command.attachment_ids:
        if id not in found:
            raise NotFound(f"there is no attachment {id} to be used", field="attachment_ids")
    return tuple(found[id] for id in command.attachment_ids)


async def keep_mailed(files: Sequence[Attachment], tx: Transaction) -> tuple[StoredFile, ...]:
    """Give the files of a mail their attachment ids."""
    if not files:
        return ()
    (kept,) = await tx.fetch_row(
        attachments.INSERT_LINKED,
        blob_ids=[file.blob_id for file in files],
        names=[file.name for file in files],
        types=[file.type for file in files],
        sizes=[file.size for file in files],
        digests=[file.sha256 for file in files],
        content_ids=[file.content_id for file in files],
        inlines=[file.inline for file in files],
    )
    return _FILES.validate_json(kept)


async def discard(entry: Entry, tx: Transaction) -> None:
    """What an entry points at, and will not any more."""
    blob_ids = [file.blob_id for file in entry.attachments]
    if entry.body.blob_id is not None:
        blob_ids.append(entry.body.blob_id)
    if blob_ids:
        ids = [file.id for file in entry.attachments]
        await tx.execute(attachments.DISCARD, ids=ids, blob_ids=_own(blob_ids))


def _own(blob_ids: Iterable[str]) -> list[str]:
    """Without those that others may share."""
    return [blob_id for blob_id in blob_ids if has_place(blob_id)]
