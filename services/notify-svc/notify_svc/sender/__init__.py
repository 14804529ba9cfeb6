"""The edge to the mail server."""

from notify_svc.sender.queue import sending

__all__ = ["sending"]
