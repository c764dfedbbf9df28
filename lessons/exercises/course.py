"""The lessons of the course by number: what exercises belong to, and what the overview shows."""

LESSONS = dict(
    enumerate(
        (
            "What fine-tuning is",
            "Input embedding and positions",
            "Attention",
            "Multi-head attention",
            "Add & Norm",
            "Feed forward and the encoder",
            "Masks, the decoder, cross-attention",
            "Output, softmax and loss",
            "Pretraining the base",
            "Decoding: greedy, beams, the key/value cache",
            "Full fine-tuning and forgetting",
            "BitFit and LayerNorm tuning",
            "LoRA",
            "LoRA's relatives and IA3",
            "Number formats and NF4",
            "QLoRA",
            "Adapters",
            "Prompt tuning",
            "P-Tuning",
            "Prefix tuning",
            "P-Tuning v2",
            "SSF",
            "PILL",
            "Learning from preferences",
            "Choosing a strategy",
        ),
        start=1,
    )
)
