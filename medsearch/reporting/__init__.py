"""From a study's records to its answer: statistics, tables, charts, and one document that is written in every format.

    report      `rebuild(folder, store)` writes the report of a study of any kind, `summary` is for a terminal; `KINDS`
                is the one list of kinds of study
    results     what a study has come to, as plain data; `collect` looks it up, `storage` reads and writes it as
                results.json
    document    what a report says, without a format: sections, tables, cells, figures; `render/` writes it
    charts      what a chart shows, without a library; `render/` draws it for the page and for print
    search/     the tables of a search, its words, its charts, and its document; likewise ablation/ and staged/
    provenance  what must be said of where numbers come from: data, scale, code, every run
    statistics  a cell of a results table in one metric: mean ± SD over seeds and over cases, what is missing
    comparison  is one row better than another, and by how many %? `variance_components` is its model; `power` says how
                many seeds would show it
    metrics     what is known of a metric by its name: heading, unit, digits, which way is better, margin
    verdicts    does a measured value agree with a reported one?
    wording     how numbers, knobs and rules are written

Nothing here knows Ray, Optuna, MLflow or torch. Every report can be rebuilt from its results.json.
"""
