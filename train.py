"""Train a learner; the same as ``move37 train``. See ``move37/train.py``."""

from move37.train import main

if __name__ == "__main__":
    main()
