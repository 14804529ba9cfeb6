"""What is wrong with a value, in words for who sent it: pydantic's are for who wrote the model."""

from collections.abc import Mapping, Sequence
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
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} items",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "union_tag_invalid": "must be one of {expected_tags}",
    "union_tag_not_found": "is required",
    "timezone_aware": "must have a time zone, as the Z of 2026-03-02T09:00:00Z",
}

_TOO_SHORT = {"string_too_short", "too_short"}
_NO_OBJECT = {"missing", "model_attributes_type", "dict_type"}


def told(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Field and message of each, less what only follows from another: of a list whose one item is
    wrong pydantic says that it is too short, too."""
    places = {error["loc"][:-1] for error in errors}
    own = (each for each in errors if each["type"] != "too_short" or each["loc"] not in places)
    return [{"field": field(each), "message": message(each)} for each in own]


def field(error: Mapping[str, Any]) -> str:
    """Where it is: `tags.0`. What should tell kinds of bodies apart is told as the field it is;
    a parameter by its name, for none is written as a list."""
    place = [str(part) for part in error["loc"] if part != "[key]"]
    if place[0] == "query":
        place = place[:2]
    if error["type"].startswith("union_tag_"):
        place.append(error["ctx"]["discriminator"].strip("'"))
    return ".".join(place[1:]) if len(place) > 1 else place[0]


def message(error: Mapping[str, Any]) -> str:
    """Without the value that was sent."""
    if error["type"] == "extra_forbidden" and error["loc"][0] == "query":
        return "unknown parameter"
    if error["loc"] == ("body",) and error["type"] in _NO_OBJECT:
        return "the request must have a JSON object as its body"
    if error["type"] in _TOO_SHORT and error["ctx"]["min_length"] == 1:
        return "must not be empty"
    of_text = "string_" if isinstance(error.get("input"), str) else ""  # also once it is cleaned
    words = _WORDS.get(of_text + error["type"]) or _WORDS.get(error["type"])
    if words is not None:
        return words.format(**error.get("ctx", {})).replace("'", "")
    told: str = error["msg"]
    return told.removeprefix("Value error, ").replace("Input should", "must", 1)
