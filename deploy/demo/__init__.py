"""The demo: two invented schools, and the files that their systems would export."""
