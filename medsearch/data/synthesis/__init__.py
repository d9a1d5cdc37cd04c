"""Synthesis between contrasts from unpaired cases, judged on pairs: the task, its arrays, and a stage's view of them.

Every case is a stack of axial slices on a grid of its own; `preparation` makes the arrays, `prepared` maps them,
`task` says who is where, `views` gives a stage what it declared.
"""
