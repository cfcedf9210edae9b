"""A circular as the school prints it: letterhead, number, date, addressees, text, signature (P10, E11)."""
