"""The report of a search, of `reporting.results.SearchResults`.

tables      rows over seeds, test metrics, knobs: what the tables show; `front` of several objectives
early_stopping  could a trial that was stopped early have been a finalist? what would a scheduler have cut?
narrative   the answer, the warnings, the caption
charts      history, parallel coordinates, importances, learning curves, the front
sheets      what files for programs hold: table.csv, knobs.csv, front.csv, results.json
document    all of it, to be rendered
"""
