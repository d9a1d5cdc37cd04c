"""Losses that two methods share, one file per family; a method's own equations stay in its package."""
