"""Recognizing a mistake by its results: the right code is changed a little, until it computes what the student's computes.

It runs on the trusted side alone, where the right code may be read. To be read in this order: `wording`, `numbers`, `choices`,
`calls`, `names`, `order`, `steps` (small changes of one node, each with its sentence), `sentences` (those of
mistakes that somebody has written down), `changes` (all of them for an exercise), `in_place` (running changed code where the real one stands), `recognize`.
"""
