"""`python -m quarterdeck`: the command line."""

from quarterdeck.cli.main import entry

if __name__ == "__main__":
    entry()
