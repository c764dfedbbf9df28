"""Decoding: from a distribution over the next token to a sequence.

Read in this order: cache, sampling, beam, generation, and then fast_blocks and fast, the same steps from fewer calls.
"""
