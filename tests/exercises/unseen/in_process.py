"""Grading an edit of the live source without a sandbox, in this process: for our own files only, and many times faster."""

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import jaxtyping
import pytest

from lessons.exercises.diagnosis.calls import CallLog
from lessons.exercises.diagnosis.cause import is_open, with_cause
from lessons.exercises.exercise import Exercise
from lessons.exercises.filling import Filled
from lessons.exercises.grading.beside_student import PYTEST
from lessons.exercises.grading.judge import judge
from lessons.exercises.grading.recorder import Recorder, StudentFile
from lessons.exercises.grading.result import FAILED, PASSED, Result
from lessons.exercises.grading.verdict import verdict
from lessons.exercises.grading.wire import READY, pack, pack_error
from lessons.exercises.probes import load_probe
from lessons.exercises.recognition.in_place import CHANGED, in_place
from lessons.exercises.recognition.recognize import computed, recognized
from lessons.exercises.source import LIBRARY
from lessons.exercises.stub import live_source

SEED = 20_260


def check_in_process(exercise: Exercise, source: str) -> Result:
    """What `Grader.check` says of an edited live source."""
    with in_place(exercise.module, exercise.targets, source):
        reply = {"ended": "", "printed": "", "answer": json.dumps({"tests": tests_of(exercise)})}
        result = verdict(exercise, reply)
    result = judged_by_numbers(exercise, source) if result.status == PASSED else result
    if result.status != FAILED or not is_open(result.message):
        return result
    with unchecked_shapes():
        answer = computed(exercise, source, SEED)
        said = recognized(exercise, live_source(exercise), SEED, answer, result.message) if answer else ""
    return Result(exercise.name, FAILED, with_cause(result.message, said), tests=result.tests) if said else result


@contextmanager
def unchecked_shapes() -> Iterator[None]:
    """As behind the wall: what marks a place (a probe's dropout) is no float."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def judged_by_numbers(exercise: Exercise, source: str) -> Result:
    with in_place(exercise.module, exercise.targets, source):
        try:
            answer = pack(load_probe(exercise.probe)(SEED))
        except Exception as error:
            answer = pack_error(f"{type(error).__name__}: {error}")
    message = judge(exercise.probe, [SEED], READY + answer)["message"]
    return Result(exercise.name, FAILED if message else PASSED, message)


def tests_of(exercise: Exercise) -> list[dict[str, str]]:
    for name in [name for name in sys.modules if ".graders.test_" in name]:
        del sys.modules[name]
    log = CallLog()
    log.watch(importlib.import_module(exercise.module), exercise.targets)
    recorder = Recorder(StudentFile(CHANGED, Filled("")), log)
    files = [str(LIBRARY / test) for test in exercise.tests]
    with patch.object(jaxtyping, "install_import_hook"):
        pytest.main([*PYTEST, f"--rootdir={LIBRARY}", *files], plugins=[recorder])
    log.unwatch()
    return recorder.results
