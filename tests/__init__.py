"""The suite; see conftest.py for the cast and the databases."""
