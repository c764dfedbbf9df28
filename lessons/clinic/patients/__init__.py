"""Six sick runs, the patients of lesson 31's exercises: `python -m lessons clinic --patient NAME`.

Each is made anew at every look, on the shipped base or on a small random one; what is drawn differs from time to time, so
that a repair has to measure. The repairs are in repairs/. Read in this order: ward, patient, and the files of the patients.
"""

from lessons.clinic.patients import (
    exported_model,
    four_bit_merge,
    never_stops,
    silent_adapter,
    small_batches,
    standing_loss,
)
from lessons.clinic.patients.patient import Patient

FILES = (never_stops, exported_model, silent_adapter, standing_loss, small_batches, four_bit_merge)
PATIENTS: dict[str, Patient] = {file.PATIENT.name: file.PATIENT for file in FILES}
