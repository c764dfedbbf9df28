"""Which shapes of a Transformer there cannot be. Every sentence has the numbers of the mistake."""

from typing import Any

from transformer.fields import require_at_least

MOST_LAYERS, MOST_IN_A_TABLE, MOST_NUMBERS = 1024, 2**26, 2**40
"""Of a stack, of a table of positions, of a model: beyond them a size is a mistake, and is refused before it takes memory."""


def check_possible(config: Any) -> None:
    """Raises ValueError for a TransformerConfig whose numbers do not go together."""
    check_sizes(config)
    check_heads(config)
    if not 0.0 <= config.dropout < 1.0:
        raise ValueError(f"dropout is a probability in [0, 1), not {config.dropout}")
    if not config.layer_norm_eps > 0.0:
        raise ValueError(f"layer_norm_eps must be positive, not {config.layer_norm_eps}")
    check_rotary(config)
    check_special_tokens(config)


def check_sizes(config: Any) -> None:
    """Raises ValueError for a model of nothing, and for one that no machine holds."""
    for name in ("vocab_size", "d_model", "num_heads", "d_ff", "max_length", "rope_original_length"):
        require_at_least(name, getattr(config, name), 1)
    for name in ("num_encoder_layers", "num_decoder_layers", "num_segments"):
        require_at_least(name, getattr(config, name), 0)
    for name in ("num_encoder_layers", "num_decoder_layers"):
        if getattr(config, name) > MOST_LAYERS:
            raise ValueError(f"{name} must be at most {MOST_LAYERS}, not {getattr(config, name)}")
    layers = config.num_encoder_layers + config.num_decoder_layers
    for name, rows, most in (
        ("vocab_size", config.vocab_size, MOST_NUMBERS),
        ("d_ff", 2 * layers * config.d_ff, MOST_NUMBERS),
        ("max_length", config.max_length if config.positions in ("sinusoidal", "learned") else 0, MOST_IN_A_TABLE),
    ):
        if rows * config.d_model > most:
            sizes = f"{name} {getattr(config, name)} with d_model {config.d_model}"
            raise ValueError(f"{sizes} makes {rows * config.d_model} numbers; {most} are the most that is taken")


def check_heads(config: Any) -> None:
    """Raises ValueError for heads that do not share d_model, or keys and values, evenly."""
    for name in ("num_kv_heads", "head_size"):
        if getattr(config, name) is not None:
            require_at_least(name, getattr(config, name), 1)
    if config.head_size is None and config.d_model % config.num_heads:
        raise ValueError(f"d_model {config.d_model} is not divisible by num_heads {config.num_heads}")
    if config.num_heads % config.kv_heads:
        raise ValueError(f"num_heads {config.num_heads} is not divisible by num_kv_heads {config.num_kv_heads}")


def check_rotary(config: Any) -> None:
    """Raises ValueError for turns that cannot be made."""
    for name in ("rope_base", "rope_factor", "rope_low_freq_factor", "rope_high_freq_factor"):
        if not getattr(config, name) > 0.0:
            raise ValueError(f"{name} must be positive, not {getattr(config, name)}")
    if not config.rope_low_freq_factor < config.rope_high_freq_factor:
        between = f"{config.rope_low_freq_factor} and {config.rope_high_freq_factor}"
        raise ValueError(f"rope_low_freq_factor must be below rope_high_freq_factor, not {between}")
    if config.positions == "rotary" and (config.d_head % 2 or config.num_encoder_layers):
        has = f"heads of {config.d_head} and {config.num_encoder_layers} encoder layers"
        raise ValueError(f"rotary positions turn pairs of numbers in a decoder-only model, not {has}")


def check_special_tokens(config: Any) -> None:
    """Raises ValueError for ids that the vocabulary has not, and for an end that would count as padding."""
    for name in ("pad_id", "bos_id", "eos_id"):
        require_at_least(name, getattr(config, name), 0)
        if getattr(config, name) >= config.vocab_size:
            raise ValueError(f"{name} {getattr(config, name)} is outside the vocabulary of {config.vocab_size}")
    if config.pad_id == config.eos_id and config.num_encoder_layers > 0:
        raise ValueError(f"pad_id and eos_id are both {config.pad_id}: the end of a sequence would count as padding")
