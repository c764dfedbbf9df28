"""Learning from preferences, shown: a small world in which a reward is hacked, and real words.

Read in this order: notes, world, notes_world, words_world, tables, calibration, figures, page, rated_pairs, ratings, command.
"""
