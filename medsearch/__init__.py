"""medsearch: studies of medical-imaging methods, from NIfTI files to the published table."""

__version__ = "0.1.0"
