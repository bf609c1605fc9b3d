"""What the doctor says."""

from dataclasses import dataclass


@dataclass
class Finding:
    """What one look found: `ok`, `warning` or `failed`, and a remedy unless all is well."""

    about: str
    status: str
    found: str
    remedy: str = ""
