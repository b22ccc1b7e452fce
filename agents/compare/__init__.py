"""The comparison: every maker makes works, the same judges measure them, a report says it."""
