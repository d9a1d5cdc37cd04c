"""The report of an ablation, of `reporting.results.AblationResults`: rows x columns x seeds, measured beside reported.

measures    every cell in every metric: mean, spreads, what is missing, its reported value, verdict, comparison, share
            and relative change; what rows share
cells       the text of a cell, and which cells stand where; `narrative` the words around them
charts      bars, curves and panels of pictures as papers draw them
sheets      what files for programs hold: table.csv, cases.csv, results.json
document    all of it, to be rendered

A planned seed without a value is never averaged away: its row's mean is marked, and empty in table.csv.
"""
