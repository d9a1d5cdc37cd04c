"""Studies on a cluster in which things die, compared byte for byte with studies in which nothing did."""
