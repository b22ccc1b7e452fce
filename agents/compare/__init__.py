"""The comparison of makers: who takes part, what is measured, how it is shown."""
