"""The exercises: one source, stubs cut from it, and a grader that cannot be fooled by the usual tricks.

Who reads in this order never turns back:

    exercise, course, tracks
                       what an exercise is, the lessons that it belongs to, short ways through them
    source             the live source: reading it, cutting a body out of it
    diagnosis/         what is wrong with a result, in the words of a teacher
    probes/            a seed → what the real code and a student's must agree on
    catalogue/         all exercises
    assignment         what a teacher asks of a class: exercises, points, a deadline, an exam
    filling, helpers, stub
                       the file that a student gets, and what is put back before it is run
    recognition/       a mistake recognized by its results
    milestones/        what runs on a student's own code
    grading/           a student's file is run apart from everything else, and judged by what it answers
    student/           the workbook, the commands, the card of a check, the notebook
    teacher/           the students' repository, and the grades of a class
    selfcheck/         the exercises, exercised
"""
