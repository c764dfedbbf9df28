"""What a wrong solution is told, in Chinese: nothing of it stays English but code, and what Python itself says."""

import json
import subprocess
import sys

import pytest

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.grading.result import FAILED, Result
from lessons.exercises.recognition.sentences import is_cause, whole_sentence
from lessons.exercises.selfcheck.trials import Trial
from lessons.language.message import prose_in, spoken, untranslated

EXERCISES = all_exercises()
LONG = "patients"
"""A topic whose probes take many seconds each; its names are told by the clinic too."""

HEADINGS = ("value: the output: {}", "on inputs drawn after the file was loaded: value: the weights: {}")


@pytest.mark.parametrize("name", EXERCISES)
def test_every_cause_of_the_catalogue_is_told_in_chinese(name):
    for wrong in EXERCISES[name].wrong:
        sentence = whole_sentence(wrong.message, EXERCISES[name].tests)
        if is_cause(sentence):
            assert [untranslated(heading.format(sentence)) for heading in HEADINGS] == [[], []]
            assert spoken(sentence) != sentence


@pytest.mark.slow
@pytest.mark.parametrize("is_long", [False, True])
def test_every_name_of_what_the_judge_compares_is_chinese(is_long):
    probes = [each.probe for each in EXERCISES.values() if (each.topic == LONG) == is_long]
    for compared in names_in(probes):
        assert not list(prose_in(spoken(compared)))
        if " " in compared and any(word.isalpha() and word.islower() and len(word) > 2 for word in compared.split()):
            assert spoken(compared) != compared
        whole = f"on inputs drawn after the file was loaded: value: {compared}: it differs, and in no way that is known here"
        assert untranslated(whole) == []


def test_a_name_in_two_parts_is_read_though_the_first_looks_like_the_whole():
    said = spoken("value: MLP: still in training: it differs, and in no way that is known here")

    assert said == "数值：MLP：是否还在训练模式：它不同，而且不属于这里认识的任何一种错误"


def names_in(probes):
    """In a process of its own: probes do what the shapes that the tests enforce forbid."""
    code = (
        "import json; from lessons.exercises.probes import load_probe\n"
        f"print(json.dumps([name for probe in {probes!r} for name in load_probe(probe)(1)]))"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("message", "chinese"),
    [
        ("value: the output: the residual is missing: x", "数值：输出：缺了残差：x"),
        (
            "value: the merged bias (feed forward, with bias): x is missing",
            "数值：合并后的偏置（前馈网络，有偏置）：缺了 x",
        ),
        (
            "value: the output: it is divided by the variance, not by its root",
            "数值：输出：除以了方差，而不是方差的平方根",
        ),
        (
            "value: in pairs: before: off by one: along the axis axis 1 every value comes one place too late",
            "数值：两两成对：before：差一位：沿轴 1 轴，每个值都晚了一位",
        ),
        (
            "value: with gaussian A's deviation is 1.0, where 0.1 is expected: it is a standard normal distribution",
            "数值：初始化为 gaussian 时，A 的标准差是 1.0，应为 0.1：这是标准正态分布",
        ),
    ],
)
def test_a_heading_is_read_before_the_sentence_behind_it(message, chinese):
    assert spoken(message) == chinese


def test_what_python_says_and_a_line_of_the_student_stay_english():
    python = "RuntimeError: a leaf Variable that requires grad is being used in an in-place operation."
    for message in (python, f"on inputs drawn after the file was loaded: {python}", "line 3: it is what it is"):
        assert untranslated(message) == []
    assert untranslated("on inputs drawn after the file was loaded: nobody has said this before") != []


def test_the_self_check_finds_a_message_without_chinese():
    """It gives every wrong solution to the grader: `python -m lessons.exercises.selfcheck`."""
    exercise = EXERCISES["layer_norm"]
    trial = Trial(exercise, "wrong solution", "", FAILED, "nobody has said this before")
    told = Result("layer_norm", FAILED, "value: the output: nobody has said this before")
    assert "has no Chinese" in trial.problem(told)

    known = Result("layer_norm", FAILED, "value: the output: ε is added to the deviation, outside the root")
    assert Trial(exercise, "wrong solution", "", FAILED, "outside the root").problem(known) == ""
