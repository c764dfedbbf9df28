"""The lessons of the course by number: what exercises belong to, and what the overview shows."""

LESSONS = {
    1: "What fine-tuning is",
    2: "Input embedding and positions",
    3: "Attention",
    4: "Multi-head attention",
    5: "Add & Norm",
    6: "Feed forward and the encoder",
    7: "Masks, the decoder, cross-attention",
    8: "Output, softmax and loss",
    9: "Pretraining the base",
    10: "Decoding: greedy, beams, the key/value cache",
    11: "Full fine-tuning and forgetting",
    12: "BitFit and LayerNorm tuning",
    13: "LoRA",
    14: "LoRA's relatives and IA3",
    15: "Number formats and NF4",
    16: "QLoRA",
    17: "Adapters",
    18: "Prompt tuning",
    19: "P-Tuning",
    20: "Prefix tuning",
    21: "P-Tuning v2",
    22: "SSF",
    23: "PILL",
    24: "A reward model",
    25: "Policy gradient and PPO",
    26: "DPO",
    27: "GRPO, and a reward that is hacked",
    28: "An encoder that knows English: sentiment",
    29: "From 2017 to today: the blocks of a language model",
    30: "Instruction tuning: tokens, template, loss on the answer only",
    31: "The clinic: why is my fine-tune silently wrong?",
    32: "Choosing a strategy",
}

PARTS = {1: "What it is", 2: "The Transformer", 11: "Fine-tuning it", 24: "From preferences", 28: "Real models"}
"""The first lesson of each part → the part's name."""
