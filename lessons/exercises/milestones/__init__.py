"""What a student's own code does: after a pass with one file, at the end of a part of the course with all of them.

plan               which exercise runs what, and the milestones
together           several files of one module become one
speaking, four_bits, learning, reward
                   what runs. It runs beside the student's files, behind the same wall as a check, in their library's place
"""
