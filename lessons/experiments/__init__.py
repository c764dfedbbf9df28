"""What the lessons measure and draw, so that on their pages stand the lines that matter.

`lessons/03_attention.py` measures with `lessons/experiments/attention.py` and draws its mechanism with
`attention_picture.py`: the lesson's name without its number. The sentences on kept results are functions marked `@kept_claim`.
"""
