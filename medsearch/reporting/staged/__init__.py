"""The report of a staged search.

collect     from its header, and from its searches' own results, to `results`, plain data
bounds      whether the refinement keeps what the freeze rules ask for
left        what the refinement found beyond the frozen point, with the interval of the difference
tables      the lines of groups, knobs and rows; `answer` the words that go with them
files       those as csv and md, and results.json; `terminal` as rich text
page        index.html, with `knobs`, and a link to the page of each search
report      `write_report(results, folder)`, which writes all of them
"""
