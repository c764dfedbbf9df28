"""Which lines of a file depend on one that runs when the file is imported: a test that runs them may see that it is changed."""

import ast


def depending(source: str, line: int) -> set[int]:
    """Where a name that is assigned on this line is read, and the body of a function whose header the line is in."""
    tree = ast.parse(source)
    names, lines = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.lineno <= line < node.body[0].lineno:
            lines |= {inner.lineno for part in node.body for inner in ast.walk(part) if isinstance(inner, ast.stmt)}
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.lineno <= line <= (node.end_lineno or line):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    for node in ast.walk(tree):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None
        if name in names and isinstance(node.ctx, ast.Load):  # type: ignore[attr-defined]
            lines.add(node.lineno)  # type: ignore[attr-defined]
    return lines
