"""Sentiment: a real sentence encoder in our own blocks, fine-tuned by five techniques (README.md is the walk through it).

Read in this order: measures, encoder, model, updates, rows, table, figure, command.
"""
