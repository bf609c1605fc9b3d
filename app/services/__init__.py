"""All rules and all SQL, one module for each feature."""
