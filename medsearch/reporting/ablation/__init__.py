"""The report of an ablation: rows x columns x seeds, measured beside reported.

collect     from the header, the ledger and the store to `results`, plain data, which knows what rows share
measures    every cell in every metric: mean, spreads, what is missing, its reported value, verdict, comparison, share
            and relative change
cells       the text of a cell, and which cells stand where; `narrative` the words around them
charts      bars, curves and panels of pictures as papers draw them
sheets      what files for programs hold: table.csv, cases.csv, results.json
document    all of it, to be rendered

A planned seed without a value is never averaged away: its row's mean is marked, and empty in table.csv.
"""
