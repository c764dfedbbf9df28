"""Learning from preferences, shown: a small world in which a reward is hacked, and real words.

Read in this order: notes, world, notes_world, words_world, tables, calibration, figures, page, command;
then real people: rated_pairs, ratings; and you: prefer, prefer_training.
"""
