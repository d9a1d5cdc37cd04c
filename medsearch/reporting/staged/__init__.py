"""The report of a staged search.

collect     from its header, and from its searches' own results, to `results`, plain data
left        what the refinement found beyond the frozen point, with the interval of the difference
tables      the lines of groups and knobs; `narrative` the words that go with them
document    all of it, to be rendered, with a link to the page of each search
"""
