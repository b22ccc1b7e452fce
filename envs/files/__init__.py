"""Pictures and pages as files."""
