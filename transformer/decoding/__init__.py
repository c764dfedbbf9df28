"""Decoding: from a distribution over the next token to a sequence.

Read in this order: cache, steps, sampling, beam, generation; then fast_products, fast_blocks, fast_memory
and fast: the same steps from fewer calls.
"""
