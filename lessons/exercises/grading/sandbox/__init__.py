"""Where untrusted code runs: a forked process that gave up files, network, other processes and most of its memory."""
