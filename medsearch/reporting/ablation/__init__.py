"""The report of an ablation: rows x columns x seeds, measured beside reported.

    collect     from the header, the ledger and the store (`shelf`, `pictures`) to `results`, plain data
    measures    every cell in every metric: mean, spreads, what is missing; reported value, verdict, comparison, share
    sharing     which replicates stand on the same stage runs, and what that saved
    cells       the text of a cell; `layout` which cells stand where; `caption` and `answer` the words around them
    files       table.csv, cases.csv, table.md, results.json; `latex` table.tex; `terminal` as rich text
    marks       what figures show of a cell; `bars`, `curves` and `panels` the figures as papers draw them; `plates` all
    page        with `sections` and `origin`
    report      `write_report(results, folder)`, which writes all of them

A planned seed without a value is never averaged away: its row's mean is marked, and empty in table.csv.
"""
