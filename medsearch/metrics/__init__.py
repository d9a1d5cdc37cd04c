"""What predictions are scored by: `overlap` (Dice), `surfaces` (mm), `scoring` (by the protocol of their data set).

Synthesised volumes are scored by `images`. NumPy arrays in, numbers out.
"""
