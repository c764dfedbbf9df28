"""Was the adapter trained on this base? its note of the base beside the fingerprint of this one"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run
from peft.frame.core import Core
from peft.frame.fingerprint import fingerprint
from transformer.learning.formats import read_object


def check(run: Run) -> Iterator[Measurement]:
    if run.folder is None or not isinstance(run.model, Core):
        return
    trained_on = read_object(run.folder / "adapter_config.json").get("finetune_by_hand", {}).get("base")
    if trained_on is None:  # Hugging Face PEFT's folders do not say it
        return
    with run.without():
        here = fingerprint(run.model.base_model)
    same = here == trained_on
    says = f"trained on the base {trained_on}, and stands on {here}"
    yield Measurement("adapter-of-another-base", float(same), says, not same)
