"""The pronunciation task: its words and symbols, the base, fine-tuning it, and hearing what it says.

Read in this order: vocabulary, dictionary, scoring, base, pretrain, finetuning, pronounce.
"""
