"""A ready-made answer is no solution: it is refused by its name, or by numbers that nobody could type in beforehand."""

import ast
import textwrap

import pytest
import torch
from torch.nn.functional import layer_norm as ready

import transformer.add_norm as library
from lessons.exercises.catalogue import all_exercises, get
from lessons.exercises.grading.check import Grader
from lessons.exercises.grading.ready_made import ReadyMadeError, refuse_ready_made
from lessons.exercises.grading.result import FAILED, PASSED
from lessons.exercises.grading.tree import PACKAGES
from lessons.exercises.source import LIBRARY, find, functions, lines_of, parse, span, statements
from lessons.exercises.stub import live_source
from lessons.exercises.student.notebook import check, spliced


@pytest.fixture(scope="module")
def grader():
    grader = Grader()
    yield grader
    grader.server.close()


def with_body(name, body, target=0, first=""):
    """The exercise's module with another body for one of its targets, and lines before everything."""
    exercise = get(name)
    live = live_source(exercise)
    lines = lines_of(live)
    wanted = find(parse(live), exercise.targets[target])
    start, end = span(lines, statements(functions(wanted, "")[0][1]))
    indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
    lines[start:end] = [textwrap.indent(textwrap.dedent(body).strip(), indent) + "\n"]
    return textwrap.dedent(first) + "".join(lines)


FUNCTIONAL = "return torch.nn.functional.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.eps)"
READY_MADE = [
    ("layer_norm", FUNCTIONAL),
    ("layer_norm", "from transformer.fused import FusedLayerNorm\nreturn FusedLayerNorm.forward(self, x)"),
    ("encoder_layer", "import transformer.causal_stack as d\nreturn d.CausalLayer.forward(self, x, mask)"),
    (
        "scaled_dot_product_attention",
        """
        from transformer.fused import fused_attention
        ones = torch.eye(key.shape[-2])
        return fused_attention(query, key, value, mask), fused_attention(query, key, ones, mask)
        """,
    ),
    ("preference_loss", "import rlhf.dpo\nreturn rlhf.dpo.dpo_loss(chosen, rejected, 0, 0, beta=1)"),
    ("multi_head_attention", "return torch.nn.functional.multi_head_attention_forward(query, key, value)"),
    ("normal_float", "return NF4_CODEBOOK.clone()"),
]


@pytest.mark.parametrize(("name", "body"), READY_MADE)
def test_what_does_the_work_ready_made_is_refused_by_its_name(name, body):
    """Nothing is run for it."""
    result = Grader().check(get(name), with_body(name, body))

    assert result.status == FAILED
    assert "ready-made" in result.message
    assert get(name).targets[0] in result.message
    assert result.where


@pytest.mark.parametrize(
    ("body", "first"),
    [
        ("return layer_norm(x, x.shape[-1:])", "from torch.nn.functional import layer_norm\n"),
        ("return other(x, x.shape[-1:])", "from torch.nn.functional import layer_norm as other\n"),
        ("return layer_norm(x, x.shape[-1:])", "from torch.nn.functional import *\n"),
        ("return other.layer_norm(x, x.shape[-1:])", "import torch.nn.functional as other\n"),
        ("return getattr(torch, 'layer_norm')(x, x.shape[-1:])", ""),
        ("return vars(torch)['layer_norm'](x, x.shape[-1:])", ""),
        ("return __import__('torch').native_layer_norm(x, x.shape[-1:], None, None, 1.0)[0]", ""),
        ("return torch.ops.aten.layer_norm.default(x, x.shape[-1:])", ""),
        ("return nn.LayerNorm(x.shape[-1])(x)", ""),
        ("return Other(x.shape[-1])(x)", "from torch.nn import LayerNorm as Other\n"),
        ("return ready(x, x.shape[-1:])", "import torch as t\nready = t.layer_norm\n"),
    ],
)
def test_another_name_hides_nothing(body, first):
    exercise = get("layer_norm")

    with pytest.raises(ReadyMadeError):
        refuse_ready_made(exercise, with_body("layer_norm", body, first=first), live_source(exercise))


def test_names_of_ones_own_are_free():
    """A variable, a method or a function may be called like something that is forbidden."""
    exercise = get("layer_norm")
    body = "batch_norm = x - x.mean(-1, keepdim=True)\nreturn self.group_norm(batch_norm)"

    refuse_ready_made(exercise, with_body("layer_norm", body), live_source(exercise))


def test_no_solution_and_no_neighbour_is_refused():
    for exercise in all_exercises().values():
        refuse_ready_made(exercise, live_source(exercise), live_source(exercise))


def bodies(module, node):
    """Every function of a definition, and what its body is."""
    for name, function in functions(node, node.name):
        yield (module, name), tuple(ast.dump(statement) for statement in statements(function))


def test_who_holds_the_whole_body_of_a_solution_is_forbidden_in_its_exercise():
    everybody = {}
    for path in (path for package in PACKAGES for path in (LIBRARY / package).rglob("*.py")):
        module = ".".join(path.relative_to(LIBRARY).with_suffix("").parts)
        for node in parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                everybody |= dict(bodies(module, node))
    for exercise in all_exercises().values():
        asked = [(exercise.module, target) for target in exercise.targets]
        answers = [body for place, body in everybody.items() if place in asked]
        twins = [name for (module, name), body in everybody.items() if body in answers and (module, name) not in asked]
        missing = [name for name in twins if name.partition(".")[0] not in exercise.forbidden]
        assert not missing, f"{exercise.name}: {missing} hold its answer"


LEVELS = "-1.0, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.09105004, 0.0"
LEVELS += ", 0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0"
WITHOUT_CHANCE = [
    ("normal_float", f"return torch.tensor([{LEVELS}])", 0),
    (
        "lora_start",
        """
        down, up = nn.Linear(d_in, rank, bias=False), UpLinear(rank, d_out, bias=False)
        size = 1 / rank if initialization == "gaussian" else (1 / (3 * d_in)) ** 0.5
        with torch.no_grad():
            down.weight.copy_(size * (1 - 2 * (torch.arange(d_in) % 2)).expand(rank, d_in))
            up.weight.mul_(0.0 if initialization is not False else 1.0)
        return down, up
        """,
        0,
    ),
    (
        "sample",
        """
        shares = truncate(logits / temperature, top_k, top_p).softmax(dim=-1).cumsum(dim=-1)
        places = torch.linspace(1e-6, 1.0 - 1e-6, len(shares), dtype=shares.dtype)
        return torch.searchsorted(shares, places[:, None])[:, 0]
        """,
        0,
    ),
]


@pytest.mark.slow
def test_the_judge_alone_passes_the_solution_and_fails_what_is_none(grader):
    """As when the tests were fooled."""
    right, wrong = (
        grader.check(get("add_norm"), source, tests=False)
        for source in (live_source(get("add_norm")), with_body("add_norm", "return self.norm(x + sublayer(x))"))
    )

    assert right.status == PASSED
    assert wrong.status == FAILED


@pytest.mark.slow
@pytest.mark.parametrize(("name", "body", "target"), WITHOUT_CHANCE, ids=[row[0] for row in WITHOUT_CHANCE])
def test_typed_in_numbers_and_no_chance_at_all_fail_by_the_judge_alone(grader, name, body, target):
    result = grader.check(get(name), with_body(name, body, target), tests=False)

    assert result.status == FAILED
    assert "on inputs drawn after the file was loaded" in result.message


class LayerNorm(torch.nn.Module):
    """What a cell of a notebook may hold."""

    def forward(self, x):
        return ready(x, x.shape[-1:])


def test_a_cell_that_calls_the_ready_made_function_is_refused_as_a_file_is():
    exercise = get("layer_norm")

    with pytest.raises(ReadyMadeError, match=r"torch\.nn\.functional\.layer_norm"):
        refuse_ready_made(exercise, spliced(exercise, (LayerNorm,)), live_source(exercise))


def test_a_cell_that_defines_nothing_is_not_graded():
    """Neither the library's own class, nor one that only has its name."""
    nothing = type("LayerNorm", (library.LayerNorm,), {"__module__": __name__})

    for definition in (library.LayerNorm, nothing):
        with pytest.raises(ValueError, match=r"define yours|of its own"):
            check("layer_norm", definition)
