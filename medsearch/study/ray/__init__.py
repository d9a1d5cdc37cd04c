"""A study on Ray: the cluster, its machines and GPUs, the workers that do jobs, and what happens when one is lost."""
