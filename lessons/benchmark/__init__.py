"""A published figure, reached anew: the CMU dictionary, beside other models."""
