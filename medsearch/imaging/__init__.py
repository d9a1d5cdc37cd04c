"""Imaging: single volumes and slices, in and out of files; their grids and sizes, registration and augmentation."""
