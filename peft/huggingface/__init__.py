"""How a technique stands in a folder that Hugging Face PEFT (HF) reads, where that is not how it stands here.

Each file holds what a technique's config needs for it besides its own fields; the config names it as an ancestor.
"""
