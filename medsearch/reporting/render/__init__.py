"""A document in every format, and charts by two libraries. Nothing here knows any kind of study.

html        one page that opens from disk; `plotly_charts` its charts
latex, markdown, terminal   tables of text; csv is written by `core.spreadsheets`
print_charts                figures for an article, by matplotlib
templates/  what the page and an article's tables look like, for Jinja2
"""
