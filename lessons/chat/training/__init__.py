"""Teaching a language model by examples: two tasks, the loss on the answers alone, an adapter at the end.

Read in this order: spelling, sentiment, conversations, tuning, command.
"""
