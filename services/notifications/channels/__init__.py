"""The ways in which something reaches a person: e-mail and the printed slip."""
