"""The chapters of the demo, one a file; `tour.py` says in which order they are told."""
