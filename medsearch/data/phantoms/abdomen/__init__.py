"""Abdomens in CT, with and without contrast agent, in the folders of the TCIA collections."""
