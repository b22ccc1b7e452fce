"""Whatever makes works: the learner and the makers it is compared with."""
