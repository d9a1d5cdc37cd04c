"""What predictions are scored by: `overlap` (Dice), `surfaces` (mm), `crossmoda` (as that challenge scored both).

NumPy arrays in, numbers out.
"""
