"""Where untrusted code runs: a fork of a warm process, in a room of bubblewrap's, watched and ended with the room.

It knows nothing of exercises; what is to be done is handed in by name. To be read in this order:

    limits, view                 what may be used, what may be seen
    wall                         a room with its own processes, network and files, and how a process gets in
    trial                        whether there is such a room on this machine
    calls                        those that are refused: memory which no limit counts, and forks
    child, warden                a process is born, watched, and ended
    warm_process, forkserver     jobs come in one by one, and none waits for an import

Whoever is inside has no process to name but its own room's, no file to write but its scratch folder's, no network, no
capability; when the room ends, the kernel ends all that are in it. Where bubblewrap may make no rooms, only `limits` holds.
"""
