"""The report of a staged search, of `reporting.results.StagedResults`.

refinement_gain  what the refinement found beyond the frozen point, with the interval of the difference
narrative        its groups and knobs as text, the answer, the warnings, the caption
document         all of it, to be rendered, with a link to the page of each search
"""
