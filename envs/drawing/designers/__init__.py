"""Many hands: icon fonts as drawings, and the concepts that designers drew."""
