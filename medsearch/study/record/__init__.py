"""What a study writes down of itself: its header and its ledger, with one writer and one reader each."""
