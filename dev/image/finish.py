"""Compile the modules of a tree that becomes a layer, and give each of its files one time.

    python finish.py TREE [LIBRARY]

LIBRARY holds the sources of the standard library that the layer lies on; their compiled modules
go into the tree, too. No compiled module is compared with its source again, so that no time
matters: the same packages make the same layer on any day. PYTHONHASHSEED must be set, for sets are
written in its order.
"""

from __future__ import annotations

import os
import re
import sys
from importlib.util import cache_from_source
from pathlib import Path
from py_compile import PycInvalidationMode, compile

# The first second of 1980: every archive format can say it.
FILE_SECONDS = 315_532_800
_LIBRARY = Path("/usr/local/lib/python{}.{}".format(*sys.version_info))
# What no service imports, and what its base has installed for itself.
_NEVER = re.compile("(ensurepip|idlelib|lib2to3|pydoc_data|site-packages|test|tkinter|turtledemo)/")


def main(arguments: list[str]) -> int:
    """Finish one tree; return 1 when its bytes would differ each time."""
    if not os.environ.get("PYTHONHASHSEED", "random").isdecimal():
        print("set PYTHONHASHSEED=0: compiled modules would differ each time", file=sys.stderr)
        return 1
    tree = Path(arguments[0])
    for source in sorted(tree.rglob("*.py")):
        _compile(source, Path("/") / source.relative_to(tree), tree)
    for library in map(Path, arguments[1:]):
        for source in sorted(library.rglob("*.py")):
            name = source.relative_to(library)
            if not _NEVER.match(f"{name}"):
                _compile(source, _LIBRARY / name, tree)
    for path in (tree, *tree.rglob("*")):
        os.utime(path, (FILE_SECONDS, FILE_SECONDS), follow_symlinks=False)
    return 0


def _compile(source: Path, place: Path, tree: Path) -> None:
    """Compile one module for where it will be; raises PyCompileError."""
    compiled = tree / Path(cache_from_source(str(place))).relative_to("/")
    compile(
        str(source),
        cfile=str(compiled),
        dfile=str(place),
        doraise=True,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
