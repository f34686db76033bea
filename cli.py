"""Run seqkit from a checkout: ``python cli.py fit recipes/airline.yaml``."""

from seqkit.cli import main

if __name__ == "__main__":
    main()
