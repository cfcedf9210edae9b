"""The kernel's claims under fire: real processes, broken on purpose, then looked at from outside (`make faults`)."""
