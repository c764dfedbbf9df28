"""Talking to a language model: where its file comes from, its tokens, and the template of a conversation.

Read in this order: smollm, tokenizer, render, template, model, answer, command, milestone.
"""
