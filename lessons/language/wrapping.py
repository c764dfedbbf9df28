"""Lines and cells of a width. Chinese has no spaces to break at: any place between two characters will do, but not before a comma."""

import re

from rich.cells import cell_len

CLOSING = "，。；：？！、）”》"
OPENING = "（“《"
PIECE = re.compile(rf"[{OPENING}]*[\u4e00-\u9fff][{CLOSING}]*|\s+|[^\s\u4e00-\u9fff{OPENING}]+|[{OPENING}]+")
CLAUSE = re.compile(rf"[^{CLOSING}]+[{CLOSING}]*|[{CLOSING}]+")
HAN = re.compile(r"[\u4e00-\u9fff]")


def wrapped(text: str, width: int) -> str:
    """The text with breaks where a line would be wider. Lines without Chinese stay: who prints them knows what to do."""
    return "\n".join(broken(line, width) if HAN.search(line) else line for line in text.split("\n"))


def broken(line: str, width: int) -> str:
    lines = [""]
    for piece in PIECE.findall(line):
        if cell_len(lines[-1] + piece.rstrip()) > width and lines[-1].strip():
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        if piece.strip() or lines[-1] or len(lines) == 1:
            lines[-1] += piece
    return "\n".join(lines)


def padded(text: str, cells: int) -> str:
    """A Chinese character takes two cells."""
    return text + " " * (cells - cell_len(text))


def padded_left(text: str, cells: int) -> str:
    return " " * (cells - cell_len(text)) + text


def balanced(text: str, width: int) -> str:
    """As few lines as fit, broken at a clause's end where that takes no more of them, else of like length."""
    lines = broken(text, width).count("\n") + 1
    if lines == 1:
        return text
    clauses = [""]
    for clause in CLAUSE.findall(text):
        if clauses[-1] and cell_len(clauses[-1] + clause) > width:
            clauses.append("")
        clauses[-1] += clause
    if len(clauses) <= lines and max(map(cell_len, clauses)) <= width:
        return "\n".join(clause.strip() for clause in clauses)
    narrow = (broken(text, less) for less in range(cell_len(text) // lines, width + 1))
    return next(made for made in narrow if made.count("\n") + 1 == lines)
