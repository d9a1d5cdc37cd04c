"""What a study file says: searches, ablations and staged searches as plain data, checked when they are made."""
