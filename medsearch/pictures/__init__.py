"""What a stage shows of its cases: panels, their montages and single tiles, and which slices of a volume they show."""
