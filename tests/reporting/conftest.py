"""This folder holds made-up studies, which tests in the folders below import; pytest puts it on the path."""
