"""A stand-in for an OMERO server: the real protocol, a world in memory, and faults on demand.

It is run as a process of its own, `python -m omero_standin`, and tests reach it through the
fixtures in `omero_standin.fixtures`. README.md says what it proves and what it does not.
"""
