"""The ground floor: recipes and their fingerprints, records on disk, seeds, errors. Standard library and NumPy only."""
