"""The report of an ablation: rows x columns x seeds, measured beside reported.

    collect     from the header, the ledger and the store (`shelf`, `pictures`) to `results`, plain data
    measure     a cell in a metric: mean, spreads, what is missing; `measures` all of them, each with its reported
                value, verdict, comparison, share and relative change (`changes`)
    sharing     which replicates stand on the same stage runs, and what that saved
    cells       the text of a cell; `layout` which cells stand where; `caption` and `answer` the words around them
    files       table.csv, cases.csv, table.md, results.json; `latex` table.tex; `terminal` as rich text
    bars        figures as papers draw them, like `curves` and `panels`; `marks` what they show of a cell; drawn by
    figures     for the page (plotly), and by `plates` and `mosaic` for print (matplotlib); `drawn` has all of them
    page        with `sections` and `origin`
    report      `write_report(results, folder)`, which writes all of them

A planned seed without a value is never averaged away: its row's mean is marked, and empty in table.csv.
"""
