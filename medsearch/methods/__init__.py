"""Published methods, one package each; no method imports another, and none is listed anywhere: a new one is a folder.

__init__    where the paper's equations are, departures from it, and the method as a value; where these are
            short, also its recipe and its stages
recipe      its knobs, with the paper's values, in three sets of sizes
stages      what is trained after what, and what each reads; no torch
losses      one function per equation
networks    and what one pass of a batch leaves
training    the total loss, one term a line; named after its stage where there are several
reported    what the paper reports, for tables
"""
