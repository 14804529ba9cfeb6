"""Tells who wrote a mail: a person, or which kind of machine (RFC 3834).

Nothing automatic ever answers a machine. Headers are asked first, then the parts of a report, then
the words, and these only of what a mail system sent.
"""

from mail_ingest_svc.parse.kind.classify import Evidence, Verdict, classify

__all__ = ["Evidence", "Verdict", "classify"]
