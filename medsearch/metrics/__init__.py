"""What predictions are scored by: `overlap` (Dice), `surfaces` (distances in mm). NumPy arrays in, numbers out."""
