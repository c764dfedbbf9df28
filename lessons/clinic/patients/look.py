"""A patient on the shipped base, as a student sees it: the symptom, the lines of the sick run, what was measured."""

from collections.abc import Iterator

import torch

from lessons.clinic import diagnose
from lessons.clinic.patients import PATIENTS
from lessons.clinic.patients.patient import Patient, told
from lessons.clinic.patients.ward import Ward
from lessons.clinic.world import pronunciation
from lessons.language.message import in_language
from lessons.language.words import say, tell
from peft import PeftModel


def real(seed: int) -> Ward:
    """The shipped base with the LoRA adapter that learnt British."""
    world = pronunciation()

    def tuned() -> PeftModel:
        model = world.tuned()
        model.adapters[model.active[0]].set_trainable(True)  # a loaded adapter is frozen, and its training is looked at
        return model.double().eval()

    return Ward(tuned, world.batches, torch.Generator().manual_seed(seed), turn=seed)


def patient_of(name: str) -> Patient:
    """Raises ValueError that lists the patients."""
    if name not in PATIENTS:
        raise ValueError(f"there is no patient {name!r}; there are {', '.join(PATIENTS)}")
    return PATIENTS[name]


def look(name: str, seed: int = 0, ask: bool = False) -> Iterator[str]:
    """In the language that is spoken. `ask`: with what `diagnose` says, where the run is one that it can look at."""
    patient, ward = patient_of(name), real(seed)
    yield f"{say('symptom')}   {say(patient.symptom)}"
    yield ""
    yield from patient.found_code.splitlines()
    yield ""
    found = patient.measured(ward, treated=False)
    yield from told({what: n for what, n in found.items() if shown(what) and what not in patient.hidden})
    yield ""
    if ask:
        yield from diagnosed(patient, real(seed))
    yield tell("Repair it: {command}", command=f"python -m lessons start {name}")


def shown(what: str) -> bool:
    """A refusal is the repair's; the sick run has none."""
    return not what.endswith("is refused")


def diagnosed(patient: Patient, ward: Ward) -> Iterator[str]:
    if patient.settings is None:
        yield say("diagnose looks at a model and its batches; this patient is known by numbers alone. Measure.")
        return
    for finding in diagnose(**patient.settings(ward, patient.admit(ward))):
        yield f"{finding.name}: {in_language(finding.says)}"  # the repair is the exercise


def on_the_base(name: str) -> list[str]:
    """What is measured as it was found and after the repair, one line where the two differ."""
    patient = patient_of(name)
    sick, well = (patient.measured(real(0), treated) for treated in (False, True))
    return [
        f"{what}: {float(sick[what]):.4g}, and after your repair {float(number):.4g}"
        for what, number in well.items()
        if number.numel() == 1 and shown(what) and float(sick[what]) != float(number)
    ]
