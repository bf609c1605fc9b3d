"""Jobs under kills and faults for a long time, with figures for a release note: `make soak MINUTES=30`."""
