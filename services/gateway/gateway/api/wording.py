"""What is wrong with a value, in words for who sent it: pydantic's are for who wrote the model."""

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "missing": "is required",
    "extra_forbidden": "unknown field",
    "model_attributes_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_too_long": "must have {max_length} characters at most",
    "string_too_short": "must have {min_length} characters at least",
    "too_long": "must have {max_length} items at most",
    "too_short": "must have {min_length} items at least",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "union_tag_invalid": "must be one of {expected_tags}",
    "union_tag_not_found": "is required",
    "timezone_aware": "must have a time zone, as the Z of 2026-03-02T09:00:00Z",
}


def field(error: Mapping[str, Any]) -> str:
    """Where it is: `tags.0`. What should tell kinds of bodies apart is told as the field it is."""
    place = [str(part) for part in error["loc"] if part != "[key]"]
    if error["type"].startswith("union_tag_"):
        place.append(error["ctx"]["discriminator"].strip("'"))
    return ".".join(place[1:]) if len(place) > 1 else place[0]


def message(error: Mapping[str, Any]) -> str:
    """Without the value that was sent."""
    if error["type"] == "extra_forbidden" and error["loc"][0] == "query":
        return "unknown parameter"
    words = _WORDS.get(error["type"])
    if words is not None:
        return words.format(**error.get("ctx", {})).replace("'", "")
    told: str = error["msg"]
    return told.removeprefix("Value error, ").replace("Input should", "must", 1)
