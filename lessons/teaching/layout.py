"""Where every box of the famous figure stands, and which names light it. Data only.

Units are tenths of the figure's width. The encoder's boxes are centred at 2.8, the decoder's at 7.2; a residual path
runs outside of its column: on the left of the encoder, on the right of the decoder.
"""

from dataclasses import dataclass

ENCODER, DECODER, WIDTH = 2.8, 7.2, 2.9
PINK, ORANGE, YELLOW, BLUE, LILAC, GREEN = "#f9c6c6", "#fbcf8e", "#f3f0a6", "#a9d9f2", "#cfd3f2", "#bfe6c3"


@dataclass(frozen=True)
class Box:
    """A box by its name, middle and lower edge; `sublayer` boxes have a residual path around them."""

    name: str
    text: str
    x: float
    y: float
    height: float
    colour: str
    sublayer: bool = False

    @property
    def outward(self) -> int:
        """-1 where the outside of the figure is on the left, 1 where it is on the right."""
        return -1 if self.x == ENCODER else 1

    @property
    def top(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


BOXES = (
    Box("input_embedding", "Input\nembedding", ENCODER, 1.25, 0.8, PINK),
    Box("self_attention", "Multi-head\nattention", ENCODER, 4.15, 0.8, ORANGE, sublayer=True),
    Box("encoder_add_norm", "Add & Norm", ENCODER, 5.3, 0.45, YELLOW),
    Box("encoder_feed_forward", "Feed\nforward", ENCODER, 6.35, 0.8, BLUE, sublayer=True),
    Box("encoder_add_norm", "Add & Norm", ENCODER, 7.5, 0.45, YELLOW),
    Box("output_embedding", "Output\nembedding", DECODER, 1.25, 0.8, PINK),
    Box("masked_attention", "Masked multi-\nhead attention", DECODER, 4.15, 0.8, ORANGE, sublayer=True),
    Box("decoder_add_norm", "Add & Norm", DECODER, 5.3, 0.45, YELLOW),
    Box("cross_attention", "Multi-head\ncross-attention", DECODER, 6.55, 0.8, ORANGE, sublayer=True),
    Box("decoder_add_norm", "Add & Norm", DECODER, 7.7, 0.45, YELLOW),
    Box("decoder_feed_forward", "Feed\nforward", DECODER, 8.75, 0.8, BLUE, sublayer=True),
    Box("decoder_add_norm", "Add & Norm", DECODER, 9.9, 0.45, YELLOW),
    Box("linear", "Linear", DECODER, 11.2, 0.5, LILAC),
    Box("softmax", "Softmax", DECODER, 12.15, 0.5, GREEN),
)
FRAMES = {"encoder": (ENCODER, 3.55, 8.2), "decoder": (DECODER, 3.55, 10.6)}  # name → middle, lower and upper edge
TEXTS = {
    "inputs": ("Inputs", ENCODER, 0.35),
    "outputs": ("Outputs (shifted right)", DECODER, 0.35),
    "probabilities": ("Output probabilities", DECODER, 13.1),
}
POSITIONS_Y = 2.75

ATTENTIONS = ("self_attention", "masked_attention", "cross_attention")
FEED_FORWARDS = ("encoder_feed_forward", "decoder_feed_forward")
PLACES = tuple(dict.fromkeys([*(box.name for box in BOXES), *FRAMES, *TEXTS, "positions"]))
TECHNIQUES = {
    "weights": "a change of the weight matrices",
    "keys_values": "extra keys and values",
    "prompt": "extra vectors before the input",
    "adapter": "a small network after the sub-layer",
}
GROUPS = {
    "attention": ATTENTIONS,
    "add_norm": ("encoder_add_norm", "decoder_add_norm"),
    "feed_forward": FEED_FORWARDS,
    "everything": PLACES,
}


def lit_places(names: tuple[str, ...]) -> set[str]:
    """The names with groups written out. Raises ValueError for an unknown one."""
    known = {*PLACES, *TECHNIQUES, *GROUPS}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(
            f"the figure has no {', '.join(map(repr, unknown))}; it has {', '.join(PLACES)}; "
            f"the groups {', '.join(GROUPS)}; and the techniques {', '.join(TECHNIQUES)}"
        )
    return {place for name in names for place in GROUPS.get(name, (name,))}
