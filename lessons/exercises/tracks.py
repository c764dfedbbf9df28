"""Short ways through the exercises, for those who want one thing: `python -m lessons next --track qlora`."""

TRACKS = {
    "attention": (
        "The Transformer's heart in 6 exercises",
        "scaled_dot_product_attention split_heads multi_head_attention layer_norm add_norm causal_mask",
    ),
    "lora": ("LoRA and its relatives in 5 exercises", "lora_start lora rslora dora pissa"),
    "qlora": ("QLoRA in 5 exercises", "pack_nibbles block_scales nearest_level double_quantization qlora"),
    "prompts": ("Virtual tokens in 4 exercises", "prompt_tuning p_tuning prefix_tuning prefix_network"),
    "ppo": (
        "PPO in 7 exercises",
        "response_mask token_log_probs kl_estimate token_rewards gae whiten ppo_policy_loss",
    ),
    "language_model": (
        "The blocks of today's language models in 6 exercises",
        "rms_norm rotary slowed_rotary grouped_heads gated_feed_forward q4_1",
    ),
    "dpo": ("Preferences without PPO in 3 exercises", "preference_loss dpo_loss grpo_advantages"),
}
"""Name → what it is, and its exercises in order."""


def track(name: str) -> list[str]:
    """The names of a track's exercises. Raises ValueError for an unknown one, with those that there are."""
    if name not in TRACKS:
        raise ValueError(f"there is no track {name!r}: {', '.join(TRACKS)}")
    return TRACKS[name][1].split()
