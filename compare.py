"""Compare makers; the same as ``move37 compare``. See ``move37/compare.py``."""

from move37.compare import main

if __name__ == "__main__":
    main()
