"""Probes of lesson 31: each makes a sick run, lets the exercise repair it, and measures what came of it."""

from torch import Tensor

from lessons.clinic.patients import PATIENTS


def never_stops(seed: int) -> dict[str, Tensor]:
    return PATIENTS["never_stops"].graded(seed)


def exported_model(seed: int) -> dict[str, Tensor]:
    return PATIENTS["exported_model"].graded(seed)


def silent_adapter(seed: int) -> dict[str, Tensor]:
    return PATIENTS["silent_adapter"].graded(seed)


def standing_loss(seed: int) -> dict[str, Tensor]:
    return PATIENTS["standing_loss"].graded(seed)


def small_batches(seed: int) -> dict[str, Tensor]:
    return PATIENTS["small_batches"].graded(seed)


def four_bit_merge(seed: int) -> dict[str, Tensor]:
    return PATIENTS["four_bit_merge"].graded(seed)
