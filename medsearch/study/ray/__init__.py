"""A study on Ray: the cluster, its nodes and GPUs, the workers that do the jobs, and what happens when one is lost."""
