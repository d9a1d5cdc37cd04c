"""The report of a staged search.

collect     from its header, and from its searches' own results, to `results`, plain data
left        what the refinement found beyond the frozen point, with the interval of the difference
narrative   its groups and knobs as text, the answer, the warnings, the caption
document    all of it, to be rendered, with a link to the page of each search
"""
