"""Models that differ wherever a config lets them: what holds for one that is all defaults must hold for each of these."""

ZOO: dict[str, dict[str, object]] = {
    "the paper's": {},
    "pre-norm, untied": {"norm": "pre", "tie_embeddings": False, "activation": "gelu", "layer_norm_eps": 0.3},
    "post-norm, learned positions": {
        "positions": "learned",
        "norm_embeddings": True,
        "output_bias": True,
        "scale_embeddings": False,
        "layer_norm_eps": 0.05,
    },
    "pre-norm, normed embeddings": {"norm": "pre", "norm_embeddings": True, "output_bias": True, "activation": "silu"},
}
