"""From a study's records to its answer: statistics, tables, charts, and one document that is written in every format.

    report      `rebuild(folder, store)` writes the report of a study of any kind, `summary` is for a terminal
    document    what a report says, without a format: sections, tables, cells, figures; `render/` writes it
    charts      what a chart shows, without a library; `render/` draws it for the page and for print
    search/     the results of a search, its words, its charts, and its document; likewise ablation/ and staged/
    evidence    what all rest on: replicates, provenance, pictures; `storage` reads and writes it as results.json
    provenance  where the numbers come from, and what must be said of that
    statistics  mean ± SD over seeds and over cases, by `variance_components`
    comparison  is one row better than another, and by how many %? `power`: how many seeds would show it?
    metrics     what is known of a metric by its name: heading, unit, digits, which way is better, margin
    verdicts    does a measured value agree with a reported one?
    wording     how numbers, knobs and rules are written

Nothing here knows Ray, Optuna, MLflow or torch. Every report can be rebuilt from its results.json.
"""
