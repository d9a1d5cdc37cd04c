"""Abdomens in CT, with and without contrast agent, in the layouts of paper 000's cohorts.

Everybody has a body of their own (`bodies`): its size, its organs' sizes, places and HU differ, under a smooth random
deformation. `scans` draws it, with the scanner's table, noise and field of view, `series` stores DICOM, and `writing`
the folders.
"""
