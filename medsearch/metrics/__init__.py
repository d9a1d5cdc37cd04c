"""What predictions are scored by: `overlap` (Dice), `surfaces` (mm), `crossmoda` (as that challenge scored both).

Synthesised volumes are scored by `images`. NumPy arrays in, numbers out.
"""
