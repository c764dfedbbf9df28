"""The pronunciation task: its words and symbols, the base, fine-tuning it, and hearing what it says.

Read in this order: vocabulary, dictionary, scoring, base, machine, pretrain (with card, the base's model card), techniques,
finetuning, attention_map, shipped, pronounce.
"""
