"""Whatever makes works: the learner, the contrast agents, and the measures that need them."""
