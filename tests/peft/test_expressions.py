"""Regular expressions in a config: what could take forever is refused at once, what names modules is not."""

import time

import pytest

from peft import LoraConfig, get_peft_model
from peft.frame.expressions import matches, too_slow
from tests.peft.small import small_base

FOREVER = {
    "a repeat in a repeat": "(a+)+!",
    "alternatives in a repeat": "(a|aa)+!",
    "counted ones": "(a{1,30}){1,30}!",
    "optional ones in a repeat": "((a?){30})!",
    "under a look ahead": "(?=(a+)+!)a",
    "named": "(?P<all>a*)*!",
    "lazy": "(a+?)+?!",
    "many repeats in a row": ".*" * 6 + "!",
    "many optional ones": "a?" * 30 + "a" * 30,
    "many alternatives": "(a|a.)" * 30,
    "long": "a" * 1001,
    "twice the double": "((a+){2}){2}!",
    "many of up to three": "a{1,3}" * 6 + "!",
}
PLAIN = [
    r".*\.(q_proj|v_proj)",
    r"(encoder|decoder)\.layers\.(0|1|2|31)\.(self|cross)_attention\.(q|k|v)_proj",
    r".*\.layers\.(.*)\.(self_attn|mlp)\..*",
    r"(model\.)?layers\.[0-9]{1,2}\..*?_proj",
    "a" * 1000,
    ".*" * 5,
    "a{1,2}" * 12,
]


@pytest.mark.parametrize("pattern", FOREVER.values(), ids=FOREVER)
def test_a_pattern_that_could_take_forever_is_refused(pattern):
    with pytest.raises(ValueError, match=r"target_modules could take forever: .*; write it plainer, or list"):
        matches(pattern, "a" * 60, "target_modules")


def test_it_is_refused_before_it_is_tried():
    began = time.process_time()
    assert all(map(too_slow, FOREVER.values()))
    assert time.process_time() - began < 0.5 * len(FOREVER)


@pytest.mark.parametrize("pattern", PLAIN)
def test_what_names_modules_is_taken(pattern):
    assert too_slow(pattern) == ""


def test_alternatives_count_wherever_they_stand():
    assert too_slow("(fc1|output)" * 12) == ""
    assert too_slow("(fc1|output)" * 13) == "0 long repeats (5 are the most), 13 choices (12 are the most)"


def test_what_is_taken_ends_soon():
    began = time.process_time()
    assert not matches(".*" * 5 + "(a|b)?" * 5 + "!", "encoder.layers.11.self_attention.attention.output.dense", "it")
    assert time.process_time() - began < 2


@pytest.mark.parametrize("field", ["target_modules", "rank_pattern"])
def test_the_configs_that_hold_patterns_refuse_it(field):
    config = LoraConfig(**{field: "(a+)+" if field == "target_modules" else {"(a+)+": 2}})
    with pytest.raises(ValueError, match="could take forever"):
        get_peft_model(small_base(), config)
