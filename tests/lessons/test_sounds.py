"""The table of sounds has every symbol that the model can say, and each key word holds its sound."""

import pytest

from lessons.task.dictionary import vocabulary
from lessons.teaching.sounds import show_sounds, sounds


def test_every_symbol_of_the_vocabulary_is_explained():
    assert set("".join(sounds())) >= set(vocabulary().symbols)


@pytest.mark.parametrize("sound", sounds().values(), ids=lambda sound: sound.sound)
def test_the_key_word_holds_the_sound_in_an_accent_that_has_it(sound):
    assert sound.sound in sound.british or sound.sound in sound.american
    if "British only" in sound.english:
        assert sound.sound not in sound.american
    if "American only" in sound.english:
        assert sound.sound not in sound.british


def test_chosen_sounds_are_shown_with_both_accents(capsys):
    show_sounds("ɾ", "əʊ")
    printed = capsys.readouterr().out
    assert "bˈʌɾəɹ" in printed
    assert "ɡˈəʊt" in printed
    with pytest.raises(ValueError, match="no sound x"):
        show_sounds("x")
