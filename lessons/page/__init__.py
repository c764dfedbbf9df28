"""One HTML page to see a fine-tuning work: type a word, choose a technique, slide its strength.

    python -m lessons page --out page.html

Read in this order: voices (which models the page holds), strength (what half a technique is), parts (a technique in
named tensors), packing (tensors in a file), wording and words (what it says, in English and Chinese), figure, contents,
measure (errors at every strength), command. In JavaScript: words.js, weights.js, transformer.js, reading.js, view.js,
drawing.js, page.js, tour.js.
"""
