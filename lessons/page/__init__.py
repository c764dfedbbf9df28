"""One HTML page to see a fine-tuning work: type a word, choose a technique, slide its strength.

    python -m lessons page --out page.html

Read in this order: voices (which models the page holds), strength (what half a technique is), parts (a technique in
named tensors), packing (tensors in a file), figure, measure (errors at every strength), command. In JavaScript:
weights.js, transformer.js, view.js, page.js.
"""
