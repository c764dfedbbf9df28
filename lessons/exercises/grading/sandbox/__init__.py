"""Where untrusted code runs: a forked process that gave up files, network, other processes and most of its memory.

It knows nothing of exercises; what is to be done is handed in by name. To be read in this order:

    limits, view, processes      what may be used, what may be seen, who is there
    landlock, seccomp, audit     three fences: the kernel's for files and for calls, and Python's own
    confined                     all of it given up, in order
    child, trespass, warden      a process is born, watched, and ended
    warm_process, forkserver     jobs come in one by one, and none waits for an import
"""
