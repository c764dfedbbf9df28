"""What fine-tuning costs in memory: `python -m lessons memory --model llama-33b --method qlora`.

Read in this order: shapes, blocks, activations, tally, plan, show, command, four_bits.
"""
