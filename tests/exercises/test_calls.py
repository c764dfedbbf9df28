"""The filter of system calls, read step by step as the kernel's machine reads it, for both processors."""

import errno

import pytest

from lessons.exercises.grading.sandbox import calls

KILL, ALLOW = calls.KILL, calls.ALLOW
NO_SUCH_CALL, NOT_PERMITTED = calls.REFUSE | errno.ENOSYS, calls.REFUSE | errno.EPERM
THREAD = 0x003D0F00
"""The flags with which the C library starts one; without CLONE_THREAD it would be a process that shares memory."""
SIGCHLD = 17


def answer(machine: str, number: int, first: int = 0, came_from: int | None = None) -> int:
    known, column = calls.MACHINES[machine]
    seen = {calls.NUMBER: number, calls.MACHINE: came_from or known, calls.FIRST_ARGUMENT: first}
    steps, place, value = calls.program(known, column), 0, 0
    while True:
        what, if_so, if_not, given = steps[place]
        if what == calls.RETURN:
            return given
        if what == calls.LOAD:
            value = seen[given]
        else:
            holds = {
                calls.EQUAL: value == given,
                calls.GREATER_OR_EQUAL: value >= given,
                calls.ANY_BIT: bool(value & given),
            }[what]
            place += if_so if holds else if_not
        place += 1


@pytest.mark.parametrize("machine", calls.MACHINES)
def test_a_thread_may_be_born_and_a_process_not(machine):
    column = calls.MACHINES[machine][1]

    assert answer(machine, calls.CLONE[column], THREAD) == ALLOW
    assert answer(machine, calls.CLONE[column], THREAD & ~calls.CLONE_THREAD) == KILL
    assert answer(machine, calls.CLONE[column], SIGCHLD) == KILL
    assert answer(machine, calls.CLONE3[column]) == NO_SUCH_CALL
    assert {answer(machine, number) for number in calls.FORKS[column]} <= {KILL}


@pytest.mark.parametrize("machine", calls.MACHINES)
def test_what_takes_uncounted_memory_is_not_permitted_and_everything_else_is(machine):
    column = calls.MACHINES[machine][1]
    refused = {numbers[column] for numbers in calls.MEMORY.values()}
    others = set(range(460)) - refused - {calls.CLONE[column], calls.CLONE3[column], *calls.FORKS[column]}

    assert {answer(machine, number) for number in refused} == {NOT_PERMITTED}
    assert {answer(machine, number) for number in others} == {ALLOW}


def test_a_call_by_another_machine_s_numbers_is_none():
    assert answer("x86_64", 0, came_from=0x40000003) == NO_SUCH_CALL  # as a program of 32 bits asks
    assert answer("x86_64", calls.X32_CALLS | 57) == NO_SUCH_CALL


def test_the_numbers_of_x86_are_fork_and_vfork():
    assert [answer("x86_64", number) for number in (56, 57, 58, 59)] == [KILL, KILL, KILL, ALLOW]
