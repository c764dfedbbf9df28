"""The language of what the commands and the cards say: English, or Chinese from the texts in lessons/zh/.

choice      which language: `--lang`, the environment, the folder of a notebook
po          lessons/zh/NAME.po, read with polib
words       a fixed text, or a template with its values, in that language
message     a message of the grader, which comes as English text from another process, in that language
wrapping    lines of Chinese: two cells to a character, and no comma at the beginning of a line
"""
