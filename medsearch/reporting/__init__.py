"""From a study's records to its answer: statistics, tables, figures and one page.

    report      `rebuild(folder, store)` writes the report of a study of either kind, `terminal` prints its summary
    search/     the report of a search; ablation/ that of an ablation: collected, tabulated, worded, drawn, written
    evidence    what both rest on: replicates, provenance, pictures; `storage` reads and writes it as results.json
    statistics  mean ± SD over seeds and over cases, share of the target-supervised model, all with `resampling`
    comparison  is one row better than another? `change`: by how many %?
    metrics     what is known of a metric by its name: heading, unit, digits, which way is better, margin
    verdicts    does a measured value agree with a reported one? `equivalence`
    wording     how numbers, knobs and rules are written; `formats` csv, Markdown and LaTeX; `titles` of pictures
    shell       index.html, one file without a network; `elements` its pieces, `pictures`, and `markup` its safe HTML
    plates      figures for print (matplotlib); the page draws with plotly
    writing     a report's folder, replaced file by file

Nothing here knows Ray, Optuna, MLflow or torch. A search's report can be rebuilt from results.json, an ablation's too.
"""
