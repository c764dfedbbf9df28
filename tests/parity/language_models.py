"""The families of language models, as configs of transformers in odd shapes: heads that are no d_model / num_heads too."""

SHARED = {
    "vocab_size": 31,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "intermediate_size": 44,
    "max_position_embeddings": 40,
    "rms_norm_eps": 1e-5,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 3,
}
SLOWED = {"rope_type": "llama3", "rope_theta": 50.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
FAMILIES = {
    "Llama": ("LlamaForCausalLM", {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}),
    "Llama 3.1": ("LlamaForCausalLM", {"rope_parameters": SLOWED | {"original_max_position_embeddings": 30}}),
    "Mistral": ("MistralForCausalLM", {"head_dim": 8, "num_key_value_heads": 3, "sliding_window": None}),
    "Qwen2": ("Qwen2ForCausalLM", {"num_key_value_heads": 1}),
    "Qwen3": ("Qwen3ForCausalLM", {"head_dim": 10}),
}
LANGUAGE_MODELS = {
    f"{name}, {'tied' if tied else 'untied'}": (architecture, SHARED | own | {"tie_word_embeddings": tied})
    for name, (architecture, own) in FAMILIES.items()
    for tied in (True, False)
}
