"""`python -m mplus_eval` is the command line."""

from mplus_eval.cli import main

if __name__ == "__main__":
    main()
