"""The judge: the real code on the same seeds, in a process that no student's file has touched."""

from typing import Any

from lessons.exercises.diagnosis import difference
from lessons.exercises.grading import wire
from lessons.exercises.probes import load_probe


def judge(probe: str, seeds: list[int], answer: bytes) -> dict[str, Any]:
    """{"message": ""} when every tensor of every seed is right, else what is wrong first."""
    try:
        came = wire.unpack(answer.removeprefix(wire.READY).removeprefix(wire.READY), most=len(seeds))
    except wire.WireError as error:
        return {"message": str(error)}
    if len(came) != len(seeds):
        return {"message": f"{len(came)} answers came to {len(seeds)} questions"}
    function = load_probe(probe)
    for seed, packet in zip(seeds, came, strict=True):
        wanted = function(seed)
        if list(packet) != list(wanted):
            return {"message": f"the answer holds {', '.join(packet)}, not {', '.join(wanted)}"}
        for name, tensor in wanted.items():
            if message := difference(packet[name], tensor, name=name, dtype=tensor.dtype):
                return {"message": message}
    return {"message": ""}
