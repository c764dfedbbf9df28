"""The frame that every technique stands in: freeze, put in place, name, count, switch, merge, mix, save and load.

Read in this order: config, targets, layers, owned, tokens, adapter, then what is done with adapters.
"""
