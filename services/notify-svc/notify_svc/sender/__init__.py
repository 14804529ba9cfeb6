"""The edge to mail servers and webhooks."""

from notify_svc.sender.queue import Wakes, sending

__all__ = ["Wakes", "sending"]
