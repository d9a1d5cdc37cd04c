"""The report of an ablation: rows x columns x seeds, measured beside reported.

collect     from the header, the ledger and the store (`stored`) to `results`, plain data
measure     a cell in a metric: mean, spreads, what is missing; `measures` all of them, each with its reported
            value, verdict, comparison, share and relative change
sharing     which replicates stand on the same stage runs, and what that saved
cells       the text of a cell, and which cells stand where; `narrative` the words around them
charts      bars and curves as papers draw them; `panels` of pictures
sheets      what files for programs hold: table.csv, cases.csv, results.json
document    all of it, to be rendered

A planned seed without a value is never averaged away: its row's mean is marked, and empty in table.csv.
"""
