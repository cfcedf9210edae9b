"""What can go wrong with an engine, said so that an operator can act on it."""


class EngineError(RuntimeError):
    """An engine could not be prepared, started or stopped. The text is meant for the operator."""
