"""The learner: imitation, the policy, PPO from there, and the loop that plays boards."""
