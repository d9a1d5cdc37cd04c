"""What a study does next: drivers hand out stage runs as jobs. Knows no Ray."""
