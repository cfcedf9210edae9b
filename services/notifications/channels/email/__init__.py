"""Credentials by e-mail: one recipient a message, over real SMTP (E2, E4, E5, M2, S4)."""
