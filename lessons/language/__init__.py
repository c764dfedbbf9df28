"""The language of what the commands and the cards say: English, or Chinese from the texts in lessons/zh/.

blocks      a Markdown text in the pieces that are translated
choice      which language: `--lang`, the environment, the folder of a notebook
po          lessons/zh/NAME.po, read with polib
options     the options of a command, and what its --help says
outputs     what a notebook's outputs and figures show
words       a fixed text, or a template with its values, in that language
message     a message of the grader, which comes as English text from another process, in that language
wrapping    lines of Chinese: two cells to a character, and no comma at the beginning of a line
"""
