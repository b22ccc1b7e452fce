"""A training run: its configuration, folder, checkpoints, and what TensorBoard shows of it."""
