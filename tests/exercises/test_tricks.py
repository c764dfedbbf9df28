"""A file does not pass by a trick. One test for each trick; what is asserted is that it fails, and what it left behind."""

import os
import socket
import time

import pytest

from lessons.exercises.grading.check import Grader, Strictness
from lessons.exercises.grading.result import FAILED, PASSED
from lessons.exercises.grading.sandbox import trial, wall
from lessons.exercises.source import LIBRARY
from tests.exercises.hostile import EXERCISE, hostile, solution

MOST_SECONDS = 60
pytestmark = [
    pytest.mark.slow,  # about a second each
    pytest.mark.skipif(bool(trial.problem()), reason="there is no wall on this system, and these files do harm"),
]


@pytest.fixture(scope="module")
def grader():
    grader = Grader(Strictness(test_seconds=8.0, probe_seconds=8.0, only_behind_wall=True))
    yield grader
    grader.server.close()


def fails(grader, source):
    """The result, which is a failure in good time that leaves no process behind."""
    started = time.monotonic()

    result = grader.check(EXERCISE, source)

    assert result.status == FAILED, result
    assert time.monotonic() - started < MOST_SECONDS
    patience = time.monotonic() + 3.0
    while (left := wall.children(grader.server.process.pid)) and time.monotonic() < patience:
        time.sleep(0.05)
    assert not left, f"still running: {left}"
    return result


def test_the_solution_itself_passes(grader):
    assert grader.check(EXERCISE, solution()).status == PASSED


@pytest.mark.parametrize(
    "exit",
    [
        "import os; os._exit(0)",
        "import sys; sys.exit(0)",
        "raise SystemExit",
        "raise SystemExit(0)",
        "raise KeyboardInterrupt",
        "exit()",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import os; os.abort()",
        "import pytest; pytest.exit('done', returncode=0)",
        "import pytest; pytest.skip('not today', allow_module_level=True)",
    ],
)
@pytest.mark.parametrize("where", ["first", "last", "body"])
def test_exiting_early(grader, exit, where):
    fails(grader, hostile(**{where: exit}))


def test_dying_of_a_signal_without_a_name(grader):
    result = fails(grader, hostile(first="import signal; signal.raise_signal(40)"))

    assert "signal 40" in result.message


def test_exiting_early_behind_a_finished_answer(grader):
    fails(grader, hostile(first="import atexit, os; atexit.register(os._exit, 0)"))


FAKE = '{"tests": [{"name": "t::test_a", "outcome": "passed", "message": "", "where": ""}]}'


@pytest.mark.parametrize(
    "patch",
    [
        "import pytest; pytest.main = lambda *a, **k: 0",
        "import _pytest.runner as r; r.call_and_report = lambda *a, **k: None",
        "import _pytest.reports as r; r.TestReport.failed = property(lambda self: False)",
        "import torch; torch.allclose = torch.equal = lambda *a, **k: True",
        "import numpy; numpy.allclose = lambda *a, **k: True; numpy.isclose = lambda a, b, *r, **k: numpy.ones_like(a, bool)",
        "import lessons.exercises.diagnosis as d; d.assert_matches = d.assert_gradients_flow = lambda *a, **k: None",
        "import lessons.exercises.diagnosis.compare as c; c.difference = lambda *a, **k: ''",
        "import tests.reference.layer_norm as t; t.layer_norm = lambda x, *a: x",
        "import lessons.exercises.probes.layers as p; p.layer_norm = lambda seed: {}",
        "import builtins; builtins.AssertionError = type('Nothing', (Exception,), {})",
        "import sys; sys.modules['tests.exercises.graders.given'] = sys.modules['torch']",
        "import torch; torch.Tensor.__eq__ = lambda *a: True",
    ],
)
def test_patching_pytest_torch_numpy_or_the_tests(grader, patch):
    fails(grader, hostile(first=f"try:\n    {patch}\nexcept ImportError:\n    pass"))


def test_turning_the_whole_of_pytest_into_a_success(grader):
    fails(
        grader,
        hostile(
            first="""
            import gc, json, os, sys
            import pytest
            def main(arguments, plugins):
                plugins[0].results.append({"name": "t::test_a", "outcome": "passed", "message": "", "where": ""})
                return 0
            pytest.main = main
            """
        ),
    )


def test_printing_a_fake_result(grader):
    fails(grader, hostile(first=f"print({FAKE!r}); print('1 passed'); print('passed')"))


def test_writing_a_fake_result_into_every_open_pipe(grader):
    result = fails(
        grader,
        hostile(
            first=f"""
            import os
            for descriptor in range(3, 200):
                try:
                    os.write(descriptor, b'!' + {FAKE.encode()!r})
                except OSError:
                    pass
            os._exit(0)
            """
        ),
    )
    assert "inputs drawn after the file was loaded" in result.message


def test_writing_to_the_runners_files(grader, tmp_path):
    progress, tests = tmp_path / "progress.txt", LIBRARY / "tests/exercises/graders/test_layer_norm.py"
    progress.write_text("layer_norm | failed | 0\n")
    before = tests.read_text()

    fails(
        grader,
        hostile(
            first=f"""
            import os
            for path in ({str(progress)!r}, {str(tests)!r}, 'tests/exercises/graders/test_layer_norm.py', '../answer'):
                for write in (lambda: open(path, 'w'), lambda: os.remove(path), lambda: os.chmod(path, 0)):
                    try:
                        write()
                    except OSError:
                        pass
            """
        ),
    )

    assert progress.read_text() == "layer_norm | failed | 0\n"
    assert tests.read_text() == before


REAL = str(LIBRARY / "transformer" / "add_norm.py")


@pytest.mark.parametrize(
    "read",
    [
        f"text = open({REAL!r}).read()",
        f"import pathlib; text = pathlib.Path({REAL!r}).read_text()",
        f"import os; text = os.read(os.open({REAL!r}, os.O_RDONLY), 100000).decode()",
        f"import torch; text = bytes(torch.from_file({REAL!r}, size=1500, dtype=torch.uint8).tolist()).decode()",
        f"import subprocess; text = subprocess.check_output(['cat', {REAL!r}], text=True)",
        f"import os; os.symlink({REAL!r}, 'tmp/link'); text = open('tmp/link').read()",
        f"import os; os.link({REAL!r}, 'tmp/hard'); text = open('tmp/hard').read()",
        f"import shutil; shutil.copy({REAL!r}, 'tmp/copy'); text = open('tmp/copy').read()",
        f"text = open('/proc/self/root' + {REAL!r}).read()",
        "import os; text = open(f'/proc/{os.getppid()}/cwd/transformer/add_norm.py').read()",
        f"import io, linecache; text = ''.join(linecache.getlines({REAL!r}))\nassert text",
    ],
)
def test_reading_the_solution_from_disk(grader, read):
    body = f"{read}\nnames = {{}}\nexec(text, names)\nreturn names['LayerNorm'].forward(self, x)"

    fails(grader, hostile(body))


@pytest.mark.parametrize(
    "find",
    [
        f"sys.path.insert(0, {str(LIBRARY)!r}); [sys.modules.pop(n) for n in list(sys.modules) if n.startswith('transformer')]",
        f"import importlib.util as u; s = u.spec_from_file_location('real', {REAL!r}); m = u.module_from_spec(s); s.loader.exec_module(m)",
        f"import runpy; runpy.run_path({REAL!r})",
        f"import pkgutil; next(i for i in pkgutil.iter_modules([{str(LIBRARY / 'transformer')!r}]) if i.name == 'add_norm')[0].find_spec('add_norm').loader.load_module()",
    ],
)
def test_importing_the_solution_from_the_installed_package(grader, find):
    body = f"""
    import sys
    {find}
    import transformer.add_norm
    return transformer.add_norm.LayerNorm.forward(self, x)
    """

    fails(grader, hostile(body))


def test_reading_the_solution_out_of_the_compiled_files(grader):
    fails(
        grader,
        hostile(
            f"""
            import glob, marshal
            file = glob.glob({str(LIBRARY / "transformer" / "__pycache__")!r} + '/add_norm*.pyc')[0]
            names = {{}}
            exec(marshal.loads(open(file, 'rb').read()[16:]), names)
            return names['LayerNorm'].forward(self, x)
            """
        ),
    )


def test_finding_the_solution_in_memory(grader):
    fails(
        grader,
        hostile(
            """
            import gc
            for thing in gc.get_objects():
                code = getattr(thing, '__code__', None)
                if code and code.co_name == 'forward' and 'rsqrt' in code.co_names:
                    return thing(self, x)
            """
        ),
    )


def test_reading_the_memory_of_the_warden(grader):
    fails(grader, hostile("import os; open(f'/proc/{os.getppid()}/mem', 'rb').read(10)"))


def test_using_the_reference_of_the_tests_as_the_solution(grader):
    result = fails(
        grader,
        hostile(
            """
            import numpy as np, torch
            from tests.reference.layer_norm import layer_norm
            rows = x.detach().numpy().reshape(-1, x.shape[-1])
            y = layer_norm(rows, self.weight.detach().numpy(), self.bias.detach().numpy(), self.eps)
            return torch.from_numpy(y.reshape(x.shape)) + 0 * x
            """
        ),
    )
    assert result.message


def test_taking_the_expected_result_out_of_the_testers_frames(grader):
    fails(
        grader,
        hostile(
            """
            import sys, torch
            frame = sys._getframe()
            while frame:
                function = frame.f_globals.get('expected')
                if function:
                    return torch.as_tensor(function(self, x.detach().reshape(-1, 3, x.shape[-1]))).reshape(x.shape)
                frame = frame.f_back
            return x
            """
        ),
    )


def test_knowing_the_testers_inputs(grader):
    """Right for the sizes and the ε of the tests, wrong for everything else."""
    result = fails(
        grader,
        hostile(
            """
            if self.eps != 0.1:
                return x
            centered = x - x.mean(-1, keepdim=True)
            return self.weight * centered * torch.rsqrt(centered.square().mean(-1, keepdim=True) + self.eps) + self.bias
            """
        ),
    )
    assert "inputs drawn after the file was loaded" in result.message


def test_knowing_that_a_test_is_running(grader):
    """Right while a module of tests is loaded, wrong otherwise."""
    fails(
        grader,
        hostile(
            """
            import sys
            if not any(name.startswith('tests.') for name in sys.modules):
                return x
            centered = x - x.mean(-1, keepdim=True)
            return self.weight * centered * torch.rsqrt(centered.square().mean(-1, keepdim=True) + self.eps) + self.bias
            """
        ),
    )


def test_an_object_that_is_equal_to_everything(grader):
    result = fails(
        grader,
        hostile(
            """
            class Equal:
                shape, dtype = x.shape, x.dtype
                def __eq__(self, other): return True
                def __getattr__(self, name): return lambda *a, **k: self
                def __array__(self, *a, **k): return x.detach().numpy()
            return Equal()
            """
        ),
    )
    assert "not a Tensor" in result.message


def test_a_tensor_subclass_that_lies(grader):
    fails(
        grader,
        hostile(
            """
            class Liar(torch.Tensor):
                @classmethod
                def __torch_function__(cls, function, types, arguments=(), settings=None):
                    return True if 'close' in function.__name__ or 'eq' in function.__name__ else super().__torch_function__(
                        function, types, arguments, settings or {})
                def __eq__(self, other): return True
            return x.as_subclass(Liar)
            """
        ),
    )


def test_a_tensor_subclass_that_names_itself_tensor(grader):
    fails(
        grader,
        hostile(
            """
            class Tensor(torch.Tensor):
                __class__ = torch.Tensor
                def __eq__(self, other): return True
            return x.as_subclass(Tensor)
            """
        ),
    )


@pytest.mark.parametrize(
    "start",
    [
        "import subprocess; subprocess.Popen(['sleep', '300'])",
        "import os\nif os.fork() == 0:\n    os.setsid()\n    import time\n    time.sleep(300)",
        "import os; os.posix_spawn('/bin/sleep', ['sleep', '300'], {})",
        "import multiprocessing as m; m.get_context('fork').Process(target=lambda: None).start()",
        "import ctypes; ctypes.CDLL(None).fork()",
        "import ctypes; ctypes.CDLL(None).syscall(57)",
    ],
)
def test_leaving_a_background_process(grader, start):
    fails(grader, hostile(first=start))


def test_a_fork_bomb(grader):
    fails(
        grader, hostile(first="import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass")
    )


def test_filling_the_disk(grader):
    before = os.statvfs("/tmp").f_bfree
    fails(
        grader,
        hostile(
            first="""
            import os
            for number in range(10**9):
                with open(f'tmp/{number}', 'wb') as file:
                    file.write(b'x' * 10**6)
            """
        ),
    )
    assert os.statvfs("/tmp").f_bfree > before - (1 << 30) // os.statvfs("/tmp").f_bsize


def test_filling_the_disk_with_one_file(grader):
    fails(grader, hostile(first="file = open('tmp/large', 'wb')\nwhile True:\n    file.write(b'x' * 10**6)"))


def test_filling_the_memory(grader):
    fails(grader, hostile(first="kept = []\nwhile True:\n    kept.append(bytearray(10**7))"))


@pytest.mark.parametrize("where", ["first", "body"])
def test_an_endless_loop(grader, where):
    result = fails(grader, hostile(**{where: "while True:\n    pass"}))

    assert "endless loop" in result.message


def test_an_endless_loop_that_ignores_signals(grader):
    first = "import signal\nfor n in range(1, 65):\n    try:\n        signal.signal(n, signal.SIG_IGN)\n    except Exception:\n        pass"
    fails(grader, hostile(first=first + "\nwhile True:\n    pass"))


def test_an_endless_output(grader):
    result = fails(grader, hostile(first="while True:\n    print('x' * 1000)"))

    assert len(result.printed) < 100_000


@pytest.mark.parametrize(
    "kill",
    [
        "os.kill(os.getppid(), 9)",
        "os.kill(-1, 9)",
        "os.killpg(0, 9)",
        "__import__('ctypes').CDLL(None).kill(os.getppid(), 9)",
    ],
)
def test_killing_the_warden(grader, kill):
    server = grader.server.process.pid
    fails(grader, hostile(first=f"import os\n{kill}"))

    assert grader.server.process.pid == server


@pytest.mark.parametrize(
    "kind", ["socket.AF_INET, ('127.0.0.1', {port})", "socket.AF_UNIX, '\\0finetune-by-hand-{port}'"]
)
def test_the_network(grader, kind):
    with socket.create_server(("127.0.0.1", 0)) as there, socket.socket(socket.AF_UNIX) as abstract:
        port = there.getsockname()[1]
        abstract.bind(f"\0finetune-by-hand-{port}")
        abstract.listen()
        family, _, address = kind.format(port=port).partition(", ")

        result = fails(grader, hostile(first=f"import socket; socket.socket({family}).connect({address})"))

    assert "Connection refused" in result.message


def test_a_file_that_cannot_be_parsed_or_is_enormous(grader):
    for source in ("def f(:", "x = " + "[" * 5000, "#" * 10**7, "\0"):
        fails(grader, source)
