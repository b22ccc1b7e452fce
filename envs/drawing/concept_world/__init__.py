"""Drawing named things: a work shows the concept of its brief, and is like no human drawing."""
