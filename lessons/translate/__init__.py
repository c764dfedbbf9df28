"""The course in a second language: texts of the lessons as gettext entries, checked, and put into the executed notebooks.

blocks      a Markdown text in blocks: which are translated, and which are the same in every language
texts       what there is to translate: of each lesson, of README, of the exercises
po          lessons/zh/NAME.po, read and written with polib
checks      formulas, code, links, numbers, shapes, terms and punctuation of an entry
assemble    the Chinese notebook: the English one's code and outputs, the Chinese texts
command     python -m lessons translate update | check | status | build
"""
