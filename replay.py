"""Look at works again; the same as ``move37 replay``. See ``move37/replay.py``."""

from move37.replay import main

if __name__ == "__main__":
    main()
