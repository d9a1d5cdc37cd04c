"""Published methods, one package each; no method imports another, and none is listed anywhere: a new one is a folder.

__init__    where the paper's equations are, and departures from it; its stages, what each reads and which comes after
            which, and the method as a value; no torch
recipe      its knobs, with the paper's values, in three sets of sizes; in __init__ where these are short
losses      one function per equation
networks    and what one pass of a batch leaves
training    the total loss, one term a line; named after its stage where there are several
reported    what the paper reports, for tables
"""
