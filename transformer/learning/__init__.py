"""Learning: what turns pairs of sequences into weights, and keeps them.

Read in this order: loss, schedule, batching, checkpoint, resume, training, distributed.
"""
