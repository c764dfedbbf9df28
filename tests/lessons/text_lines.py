"""A thousand lines to cut into tokens: sentences, dictionary words, digits, runs of white space, other scripts, code."""

import random
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLES = [
    "don't, it's, we'll; THEY'RE I'VE 'tis 'S o'clock 's",
    "Ελληνικά, кириллица, עברית, العربية, हिन्दी, ไทย, 日本語の文章、한국어 문장",
    "中文没有空格，数字１２３和４５6",
    "café naïve e\u0301 n\u0303 ﬁ ﬀ Å \u212b",
    "👍🏽 👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇬🇧 ❤️ ☃",
    "½ ¾ ² ³ ⅷ ① Ⅻ 1½ x² 10⁻³",
    "a\u00a0b\u2003c\u3000d\u2028e\u200bf\ufeffg\u0085h",
    "\tif x:\n\t\treturn  x\n\n\n    # done\r\n",
    "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n",
    "<|im_end|><|endoftext|> <|im_end| <im_end|> <repo_name>x<file_sep>",
    "   leading and trailing   ",
    "",
    " ",
    "\n\n\n",
    "a  b   c    d     e",
    "https://example.org/a?b=c&d=%20#e  x_y-z.t/u\\v",
    "£9.99, €1,234.50; 50% — “quotes” ‘single’ … • †",
    "\x00\x01\x04\x06\x13\x1d\x7f \x1b[0m",
    "𝒜𝓁𝓅𝒽𝒶 𐍈 \U0010ffff \U00040000 \ue000",
]


def lines() -> list[str]:
    draw = random.Random(0)
    found = list(SAMPLES)
    for name in ("README.md", "CONTRIBUTING.md", "lessons/glossary.md", "transformer/attention.py", "peft/lora.py"):
        found += [line for line in (ROOT / name).read_text(encoding="utf-8").split("\n") if line][:120]
    words = (ROOT / "README.md").read_text(encoding="utf-8").split()
    spaces = [" ", "  ", "    ", "\t", "\n", "\n\n", " \n ", "\r\n", "\u00a0"]
    while len(found) < 1000:
        parts = [draw.choice([draw.choice(words), str(draw.randrange(10 ** draw.randint(1, 9)))]) for _ in range(8)]
        parts += [chr(draw.choice([draw.randrange(32, 0x250), draw.randrange(0x370, 0xD7FF), draw.randrange(0x1F300, 0x1FAFF)]))
                  for _ in range(draw.randint(0, 5))]  # fmt: skip
        draw.shuffle(parts)
        found.append("".join(part + draw.choice(spaces) for part in parts))
    return found[:1000]
