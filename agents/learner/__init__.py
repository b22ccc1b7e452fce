"""The learner: imitation of human works, the policy, and Stable-Baselines3's PPO from there."""
