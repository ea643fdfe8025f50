"""What every lint of this folder does with its arguments: `--self-test`, or the root of a checkout (this one's otherwise)."""
import os
import sys


def main(violations, self_test, all_is_well):
    """`violations(root)` yields a line for each; exits 1 when there is one."""
    if "--self-test" in sys.argv:
        self_test()
        return
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "..")
    found = list(violations(os.path.normpath(root)))
    print("\n".join(found) if found else all_is_well)
    sys.exit(1 if found else 0)
