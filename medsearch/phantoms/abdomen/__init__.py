"""Abdomens in CT, with and without contrast agent, in the layouts of paper 000's cohorts.

Everybody has a body of their own (`bodies`): its size, its organs' sizes and places along it differ, under a smooth
random deformation. `organs` draws it into a `canvas` of HU by tissue and phase (`tissues`), `scans` adds the scanner's
table, noise and field of view, `series` stores DICOM, and `writing` the folders.
"""
