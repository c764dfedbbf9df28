"""Each illness in places for which its check was not written: another technique, another size, another way to make it.

Read in this order: variant, places, published, then the groups; `VARIANTS` has all of them. The table keeps how many were
found at the first look, before any check was mended for them.
"""

from lessons.clinic.variants import accumulation, forgetting, loaded, merged, nothing, qlora, settings, tokens
from lessons.clinic.variants.variant import Variant

FILES = (merged, qlora, loaded, forgetting, settings, nothing, tokens, accumulation)
VARIANTS: tuple[Variant, ...] = tuple(variant for file in FILES for variant in file.VARIANTS)
