"""The frame that every technique stands in: freeze, put in place, name, count, switch, merge, mix, save and load.

It knows no technique. peft/README.md says in which order to read it.
"""
