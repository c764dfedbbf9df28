"""A patient of the clinic on the shipped base, treated by a student's repair. Gives lines to read."""

from lessons.clinic.patients.look import on_the_base


def treated(patient: str) -> list[str]:
    return on_the_base(patient)
