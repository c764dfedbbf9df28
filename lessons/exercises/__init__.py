"""The exercises: one source, stubs cut from it, and a grader that cannot be fooled by the usual tricks."""
