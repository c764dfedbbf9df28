"""The cases, one file for each of the eight things that users see."""

from lessons.clinic.case import Case
from lessons.clinic.cases import accumulation, forgetting, loaded, merged, nothing, qlora, settings, tokens

FILES = (merged, qlora, loaded, forgetting, settings, nothing, tokens, accumulation)
CASES: dict[str, Case] = {case.name: case for file in FILES for case in file.CASES}
