"""Reads any bytes as a mail: never raises, never takes long, never yields what cannot be stored."""

from mail_ingest_svc.parse.mail import parse
from mail_ingest_svc.parse.model import ParsedAttachment, ParsedMail

__all__ = ["ParsedAttachment", "ParsedMail", "parse"]
