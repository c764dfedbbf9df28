"""Learning: what turns pairs of sequences into weights, and keeps them.

Read in this order: loss, schedule, config, batching, texts, files, checkpoint, resume, distributed, training.
"""
