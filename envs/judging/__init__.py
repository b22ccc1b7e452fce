"""What judges and rewards of all worlds share: critics, descriptors, rewards."""
