"""The report of a staged search, of `reporting.results.StagedResults`.

refinement_gain  what the refinement found beyond the frozen point, with the interval of the difference
document         groups and knobs as text, the answer, warnings, caption, and the page that links to its searches
"""
