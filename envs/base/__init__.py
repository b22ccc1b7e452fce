"""What a work and a world are, and the Gymnasium and Stable-Baselines3 views of any world."""
