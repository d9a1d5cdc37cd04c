"""The report of a search.

collect     from the ledger and the store to `results`, plain data
cuts        could a trial that was stopped early have been a finalist? `replay`: what would a scheduler have cut?
columns     which test metrics the table shows: those that the tests report
front       of several objectives: what no trial beats, and finalists over seeds; `trade` its words and chart,
            `frontier` its table
tables      the rows of the summary and of the weights; `answer` and `caption` the words that go with them
files       those as csv, md and tex; `terminal` as rich text
charts      what the figures show (`parallel`: parallel coordinates; `palette`: colours), drawn by
figures     for the page (plotly), and by `plates` for print (matplotlib)
page        with `sections`, `stopping` and `origin`
report      `write_report(results, folder)`, which writes all of them
"""
