"""The words that tickets and entries are described with, in the API and on the wire."""

from typing import Literal

Status = Literal["open", "working", "hold", "auto-close", "closed"]
Priority = Literal["low", "medium", "high"]
Deadline = Literal["first_response", "resolution"]
EntryKind = Literal["public", "internal", "client"]
Source = Literal["api", "email", "agent", "schedule", "portal"]
Via = Literal["api", "email", "schedule"]
Rating = Literal["good", "bad"]
