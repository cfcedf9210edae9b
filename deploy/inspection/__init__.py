"""Invariants of a running installation, looked at from outside its services (`custode doctor --deep`)."""

from deploy.inspection.finding import MEANING, Finding, Invariant, Outcome
from deploy.inspection.inspect import inspect

__all__ = ["MEANING", "Finding", "Invariant", "Outcome", "inspect"]
