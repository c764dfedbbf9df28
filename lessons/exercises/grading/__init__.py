"""Grading: a student's file is run apart from everything else, and judged by what it answers.

    check            asks: is it attempted, do the tests pass, does it compute what the real code computes?
      ↓ sandbox/forkserver, which forks a warm process for each of
    jobs             tests, probe, judge
      ├─ beside_student   untrusted: our lines in the student's process; all that comes from it may be forged
      └─ judge            trusted: the real code on the same seeds, where no student's file has been

`stage` asks for what is only shown, a milestone; jobs runs it by `beside_many`, and nobody judges it.

`recorder` keeps what a student should read of each test. `result` is what comes of it, `wire` the bytes between the two,
`tree` the scratch folder with the student's file in the module's place. The trusted side imports nothing from the untrusted one; `make lint` says so.
"""
