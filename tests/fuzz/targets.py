"""Everything that is read from outside: name → (draw, folder) makes one changed thing and reads it."""

import copy
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from unittest import mock

import torch
from hypothesis import strategies as st
from safetensors.torch import save

from lessons.chat import render
from lessons.chat.template import check_conversation
from lessons.chat.tokenizer import make_tokenizer
from lessons.compare.amounts import KEPT, show
from lessons.compare.command import what_others
from lessons.compare.kept_rows import read_kept, shape_of
from lessons.compare.processes import read_row, rows_of_others
from lessons.compare.report import comparison, make_report
from lessons.compare.row import UNTUNED, RowSetting
from lessons.exercises import catalogue
from lessons.exercises.grading import wire
from lessons.exercises.source import UnreadableSourceError
from lessons.exercises.student.files import read_submission
from lessons.exercises.student.progress import PROGRESS
from lessons.exercises.student.workbook import Workbook
from lessons.exercises.teacher.archives import members
from lessons.exercises.teacher.submissions import submissions
from lessons.task import dictionary
from lessons.task.finetuning import RATES_FILE, read_rates
from peft import RECIPES, PeftModel
from quant import quantize_4bit
from quant.storage import from_tensors, to_tensors
from rlhf.preferences import collate_preferences, read_preferences
from tests.fuzz.harness import Draw, changed_bytes, changed_json, changed_object, nothing_written, read_or_refused
from tests.lessons.fake_rows import base_row, row, run
from tests.peft.small import small_base, technique
from tests.pretrained.conftest import CONFIGS, SHAPES
from tests.pretrained.gguf_files import small_values
from transformer import load_model, save_model
from transformer.learning.formats import read_tensors
from transformer.pretrained import load_pretrained
from transformer.pretrained.gguf.vocabulary import read_vocabulary

TEMPLATE_PIECES = [
    "{% for message in messages %}", "{% endfor %}", "{% if message['role'] == 'user' %}", "{% else %}", "{% endif %}",
    "{{ message['content'] | trim }}", "{{ messages[0].content }}", "{{ messages[-1]['role'] | upper }}", "{{ bos_token }}",
    "{{ ''.__class__.__mro__ }}", "{{ cycler.__init__.__globals__ }}", "{{ messages | attr('append') }}", "{% set x = 1 %}",
    "{{ raise_exception('no') }}", "{% macro f() %}{{ f() }}{% endmacro %}", "{{ f() }}", "{% include '/etc/hostname' %}",
    "{% import 'os' as os %}", "{{ messages | tojson }}", "{{ 7 // 0 }}", "{{", "}}", "{%", "%}", "{#", "{% break %}",
    "{{ messages | map(attribute='__class__') | list }}", "{{ self }}", "{{ lipsum.__globals__ }}", "{{ namespace(a=1).a }}",
]  # fmt: skip
CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
METHODS = [name for name, recipe in RECIPES.items() if recipe.family != "4-bit base" and name not in ("pissa", "loftq")]


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@cache
def saved_adapter(method: str, folder: Path) -> dict[str, bytes]:
    technique(method).save_pretrained(folder / method)
    return files_of(folder / method)


@cache
def base():
    return small_base()


def adapter_config(draw: Draw, folder: Path) -> None:
    files = saved_adapter(draw(st.sampled_from(METHODS)), folder)
    changed = changed_json(draw, json.loads(files[CONFIG]))
    path = write(folder / "adapter", files | {CONFIG: changed})
    model = copy.deepcopy(base())
    read_or_refused(lambda: PeftModel.from_pretrained(model, path, check_base=False))


def adapter_tensors(draw: Draw, folder: Path) -> None:
    files = saved_adapter("lora", folder)
    data = files[TENSORS]
    path = write(folder / "adapter", files | {TENSORS: changed_bytes(draw, data, header=data.index(b"}}"))})
    read_or_refused(lambda: PeftModel.from_pretrained(copy.deepcopy(base()), path))


def safetensors_header(draw: Draw, folder: Path) -> None:
    whole = save({"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}, {"format": "pt"})
    path = write(folder / "tensors", {"t.safetensors": changed_bytes(draw, whole, header=whole.index(b"}}"))})
    read_or_refused(lambda: read_tensors(path / "t.safetensors"))


@cache
def saved_base(folder: Path) -> dict[str, bytes]:
    save_model(base(), folder / "whole")
    return files_of(folder / "whole")


def model_config(draw: Draw, folder: Path) -> None:
    files = saved_base(folder)
    changed = changed_json(draw, json.loads(files["config.json"]))
    path = write(folder / "model", files | {"config.json": changed})
    read_or_refused(lambda: load_model(path))


@cache
def published(architecture: str) -> dict[str, bytes]:
    tensors = {name: torch.randn(shape) for name, shape in SHAPES[architecture]().items()}
    return {"model.safetensors": save(tensors)}


def published_config(draw: Draw, folder: Path) -> None:
    architecture = draw(st.sampled_from(sorted(SHAPES)))
    config = {"architectures": [architecture], **CONFIGS[architecture]}
    path = write(folder / "published", published(architecture) | {"config.json": changed_json(draw, config)})
    read_or_refused(lambda: load_pretrained(path))


def shards(draw: Draw, folder: Path) -> None:
    architecture = "GPT2LMHeadModel"
    tensors = {name: torch.zeros(shape) for name, shape in SHAPES[architecture]().items()}
    names = sorted(tensors)
    halves = {"one.safetensors": names[:5], "two.safetensors": names[5:]}
    places = {name: file for file, held in halves.items() for name in held}
    index = {"metadata": {"total_size": 4}, "weight_map": places}
    if draw(st.booleans()):
        index["weight_map"] = changed_object(draw, places)
        text = json.dumps(index).encode()
    else:
        text = changed_json(draw, index)
    files = {file: save({name: tensors[name] for name in held}) for file, held in halves.items()}
    config = json.dumps({"architectures": [architecture], **CONFIGS[architecture]}).encode()
    path = write(folder / "shards", files | {"config.json": config, "model.safetensors.index.json": text})
    read_or_refused(lambda: load_pretrained(path))


def answers(draw: Draw, folder: Path) -> None:
    whole = wire.pack({"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([[True], [False]])})
    header = json.loads(whole[wire.LENGTH : whole.rindex(b"}") + 1])
    if draw(st.booleans()):
        text = changed_json(draw, header)
        data = len(text).to_bytes(wire.LENGTH, "little") + text + draw(st.binary(max_size=40))
    else:
        data = changed_bytes(draw, whole, header=len(whole) - 6)
    read_or_refused(lambda: wire.unpack(data, most=2))


def catalogue_names(draw: Draw, folder: Path) -> None:
    name = draw(
        st.one_of(st.text(max_size=30), st.sampled_from(["../lora", "/etc/passwd", "lora\n", "lora.py", "", "LORA"]))
    )
    read_or_refused(lambda: catalogue.get(name))
    read_or_refused(lambda: catalogue.chosen([name]))


def workbook(draw: Draw, folder: Path) -> None:
    line = st.one_of(
        st.text(max_size=30),
        st.tuples(st.text(max_size=6), st.sampled_from(["passed", "failed", "x"]), st.integers(-1, 2**70)).map(
            lambda parts: " | ".join(map(str, parts))
        ),
    )
    text = "\n".join(draw(st.lists(line, max_size=4))).encode("utf-8", "surrogatepass")
    path = write(
        folder / "workbook",
        {PROGRESS: draw(st.one_of(st.just(text), st.binary(max_size=20))), "lora.py": draw(st.binary(max_size=30))},
    )
    read_or_refused(lambda: Workbook(path).next_open())
    read_or_refused(lambda: read_submission(path / "lora.py"), (ValueError, FileNotFoundError, UnreadableSourceError))


def handed_in(draw: Draw, folder: Path) -> None:
    names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
    chosen = [name for name in draw(st.lists(names, max_size=3)) if name not in (".", "..")]
    path = write(folder / "class", {})
    for name in chosen:
        (path / (name + ".py")).write_bytes(b"")
    read_or_refused(lambda: [str(student) for student in submissions(path, alone=False, one_exercise=True)])


def zipped(names: list[str]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, b"x = 1\n" * 30)
    return whole.getvalue()


def archives(draw: Draw, folder: Path) -> None:
    parts = [
        "Ada_1_assignsubmission_file_",
        "bob_LATE_2_3_lora.py",
        "lora.py",
        "..",
        "C:",
        "a" * 300,
        "b.zip",
        "\x1b[31m",
    ]
    written = st.characters(exclude_characters="\0", exclude_categories=["Cs"])  # zipfile ends a name at its first zero
    part = st.one_of(st.sampled_from(parts), st.text(written, min_size=1, max_size=8))
    named = st.lists(part, min_size=1, max_size=3).map("/".join).map(lambda name: name + "/lora.py")
    whole = zipped(draw(st.lists(named, max_size=4, unique=True)))
    file = write(folder / "download", {"class.zip": changed_bytes(draw, whole) if draw(st.booleans()) else whole})
    read_or_refused(lambda: [(member.parts, len(member.content)) for member in members(file / "class.zip")])


def conversations(draw: Draw, folder: Path) -> None:
    message = st.builds(
        lambda whole: changed_object(draw, whole),
        st.sampled_from([{"role": role, "content": "Say it."} for role in ("system", "user", "assistant")]),
    )
    messages = draw(st.lists(message, max_size=4))
    read_or_refused(lambda: check_conversation(messages, ["<|im_end|>"]))


def rates(draw: Draw, folder: Path) -> None:
    kept = json.loads(RATES_FILE.read_text())
    if draw(st.booleans()):
        kept["methods"] = changed_object(draw, kept["methods"])
        text = json.dumps(kept).encode()
    else:
        text = changed_json(draw, kept)
    path = write(folder / "rates", {"rates.json": text}) / "rates.json"
    read_or_refused(lambda: [entry.get("best", 1.0) * 2.0 for entry in read_rates(path)["methods"].values()])


def kept_rows(draw: Draw, folder: Path) -> None:
    """A run goes on with the rows of an earlier one: all that it reads of them is looked at first."""
    method = draw(st.sampled_from([UNTUNED, "lora", "scratch"]))
    setting = RowSetting(method, 0, 2, 0.1, 5, 5, "a base")
    whole = (base_row() if method == UNTUNED else row(method, 1)) | {"setting": asdict(setting)}
    if draw(st.booleans()):
        name = draw(st.sampled_from([name for name, value in whole.items() if isinstance(value, dict)]))
        text = json.dumps(whole | {name: changed_object(draw, whole[name])}).encode()
    else:
        text = changed_json(draw, whole)
    write(folder / "rows", {f"{setting.name}.json": text, "another.json": changed_json(draw, whole)})

    def read() -> None:
        found = read_row(setting, folder, shape_of(method))
        others = rows_of_others([setting], folder)
        what_others(others, [setting], folder)
        read_on = comparison(make_report([base_row(), found] if method != UNTUNED else [found], run()))
        assert read_on.base

    read_or_refused(read)


def kept_points(draw: Draw, folder: Path) -> None:
    point = {"training": 0.5, "british": 0.25, "american": 0.5, "step": 0}
    whole = {"method": "lora", "words": 100, "seed": 0, "curve": [point]}
    changed = draw(st.sampled_from([changed_object(draw, whole), whole | {"curve": [changed_object(draw, point)]}]))
    text = changed_json(draw, {"rows": [changed, whole]})
    file = write(folder / "amounts", {"amounts.json": text}) / "amounts.json"
    read_or_refused(lambda: show(read_kept(file, KEPT)["rows"]))


def templates(draw: Draw, folder: Path) -> None:
    """Whatever a template is made of, it gives a text or is refused; what it runs in may write nowhere and is given no time."""
    pieces = st.one_of(st.sampled_from(TEMPLATE_PIECES), st.text(max_size=4))
    source = "".join(draw(st.lists(pieces, max_size=8)))
    conversation = [{"role": "user", "content": draw(st.text(max_size=6))}]
    text = json.dumps({"template": source, "conversations": [{"messages": conversation}], "tokens": {}})
    heard = io.StringIO()
    with (
        mock.patch("sys.stdin", io.StringIO(text)),
        mock.patch("sys.stdout", heard),
        mock.patch.object(render, "set_bounds"),
    ):
        with nothing_written():
            render.work()
    assert json.loads(heard.getvalue()).keys() <= {"texts", "error"}


def dictionaries(draw: Draw, folder: Path) -> None:
    whole = gzip.compress(b"a\tx\nb\ty\n", mtime=0)
    sums = b"0000  american.tsv\n"
    path = write(folder / "data", {"american.tsv.gz": changed_bytes(draw, whole), "SHA256SUMS": sums})
    with mock.patch.object(dictionary.resources, "files", return_value=path.parent):
        message = read_or_refused(lambda: dictionary._read_whole("american"))
    assert "american.tsv.gz" in message


def preferences(draw: Draw, folder: Path) -> None:
    pair = {"source": [5, 2], "chosen": [6, 2], "rejected": [7, 2]}
    lines = b"\n".join(changed_json(draw, pair) for _ in range(draw(st.integers(0, 2))))
    path = write(folder / "pairs", {"pairs.jsonl": lines}) / "pairs.jsonl"
    read_or_refused(lambda: collate_preferences(read_preferences(path), pad_id=0))


def four_bits(draw: Draw, folder: Path) -> None:
    kept = to_tensors(quantize_4bit(torch.linspace(-1, 1, 64).reshape(2, 32)))
    layout = changed_json(draw, json.loads(bytes(kept["layout"].tolist())))
    changed = kept | {"layout": torch.tensor(list(layout), dtype=torch.uint8)}
    read_or_refused(lambda: from_tensors(changed))


def vocabularies(draw: Draw, folder: Path) -> None:
    values = {name: value for name, value in small_values().items() if name.startswith("tokenizer")}
    changed = changed_object(draw, values)
    read_or_refused(lambda: (lambda found: found and make_tokenizer(found))(read_vocabulary(changed)))


TARGETS: dict[str, Callable[[Draw, Path], None]] = {
    "an adapter's config": adapter_config,
    "an adapter's tensors": adapter_tensors,
    "a safetensors header": safetensors_header,
    "a model's config": model_config,
    "a published config": published_config,
    "an index of shards": shards,
    "the wire of a grader": answers,
    "names of exercises": catalogue_names,
    "a workbook": workbook,
    "names of submissions": handed_in,
    "an archive of submissions": archives,
    "a conversation": conversations,
    "learning rates": rates,
    "a dictionary": dictionaries,
    "a kept row": kept_rows,
    "a kept curve": kept_points,
    "a chat template": templates,
    "pairs": preferences,
    "a tensor in four bits": four_bits,
    "a tokenizer": vocabularies,
}
