"""Let a learner make new works; the same as ``move37 create``. See ``move37/create.py``."""

from move37.create import main

if __name__ == "__main__":
    main()
