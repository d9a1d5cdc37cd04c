"""From a search's records to its answer: statistics, tables, figures and one page.

    results     what was found, as plain data; `storage` reads and writes it as results.json
    statistics  mean ± SD over seeds, over cases, share of the target-supervised model with an interval
    cuts        could a trial that was stopped early have been a finalist? `replay`: what would a scheduler have cut?
    tables      the rows of the summary and of the weights; `answer` and `caption` the words that go with them
    files       those as csv, md and tex; `terminal` as rich text
    charts      what the figures show (`parallel`: parallel coordinates; `palette`: colours), drawn by
    figures     for the page (plotly), and by `plates` for print (matplotlib)
    page        index.html, one file without a network; `sections`, `stopping`, `pictures` and `origin` its parts, and
                `markup` its safe HTML
    report      `write_report(results, folder)`, which writes all of them

Nothing here knows Ray, Optuna, MLflow or torch, and nothing is looked up: a report can be rebuilt from results.json.
"""
