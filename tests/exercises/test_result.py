"""A result can be written and shown anywhere, whatever a student's file had to say."""

import pytest

from lessons.exercises.grading.result import FAILED, LONGEST_TEXT, Result

NASTY = {
    "half a character": ("a\ud800b", "a?b"),
    "a colour of the terminal": ("\x1b[31mred\x1b[0m", "red"),
    "the terminal's title": ("\x1b]0;title\x07text", "text"),
    "a bell, a return, a backspace": ("a\x07\r\x08b", "ab"),
    "an escape of eight bits": ("\x9b31mred", "31mred"),
    "lines and tabs, which stay": ("a\n\tb", "a\n\tb"),
}


@pytest.mark.parametrize("kind", NASTY)
def test_every_text_of_it_is_clean(kind):
    came, clean = NASTY[kind]
    test = {"name": came, "outcome": came, "message": came, "where": came}

    result = Result("layer_norm", FAILED, came, came, came, tests=[test])

    assert (result.message, result.where, result.printed) == (clean, clean, clean)
    assert set(result.tests[0].values()) == {clean}
    result.message.encode()


def test_it_is_no_longer_than_somebody_would_read():
    assert len(Result("layer_norm", FAILED, "x" * 10**6).message) == LONGEST_TEXT
