"""What is made once and then kept has one maker at a time: runs of the tests beside one another, checkouts of one user.

    with alone(FOLDER.with_suffix(".lock")):      # waits; is let go however it ends
        if not made(FOLDER): make(FOLDER)
"""
import contextlib
import fcntl


@contextlib.contextmanager
def alone(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
