"""Whether a message says the cause, or only that something differs; and a cause put into one."""

import re

OPEN = "it differs, and in no way that is known here"
"""What is said of a value when no cause is known."""

BEHIND = "\nas it comes when "
"""Before a cause that stands behind what was said."""

LARGEST = "    came      "
"""What stands in every message of `difference` about a value."""

NO_CAUSE = re.compile(
    rf"{OPEN}|wrong only at|right only at|every value is (?!.* = )|right up to about|the right numbers at the wrong places|"
    r"a multiple of the right one|moved by a number of its own"
)
WHOLE_SENTENCE = re.compile(r"(?P<kind>value|property): (?P<name>[^:\n]+): [^\n]*")


def is_open(message: str) -> bool:
    """It speaks of values, and of no cause, or of one that many mistakes share."""
    first = message.partition("\n")[0]
    if LARGEST not in message:
        return first.startswith(("value:", "property:", "finite:")) and BEHIND not in message
    if first.startswith("shape:"):
        return "the axes came in the order" not in message and "one axis is missing" not in message
    return first.startswith("value:") and bool(NO_CAUSE.search(first))


def with_cause(message: str, cause: str) -> str:
    """The message with the cause in its first line, in place of what it said there; or behind it, where it said something else."""
    first, newline, rest = message.partition("\n")
    found = WHOLE_SENTENCE.fullmatch(first)
    said = f"value: {found['name']}: {cause}" if found and LARGEST in message else f"{first}\nas it comes when {cause}"
    return said + newline + rest
