"""The rules of counterpoint and harmony; `docs/counterpoint.md` defines each."""
