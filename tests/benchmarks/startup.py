"""How long `ginv --help` takes, against the import of click: ``python FILE``."""

import subprocess
import sys
import time
from statistics import median

HELP = (
    "import sys; sys.argv = ['ginv', '--help']\n"
    "from glacier_inversion.cli import main\nmain()"
)


def seconds(code: str) -> float:
    """Run *code* in a new interpreter."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    pairs = [(seconds("import click"), seconds(HELP)) for _ in range(15)]
    ratio = median(shown / imported for imported, shown in pairs)
    print(
        f"ginv --help takes {ratio:.2f} times the import of click (median of 15 pairs)"
    )
