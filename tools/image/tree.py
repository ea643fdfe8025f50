"""The files of an image layer, in memory: what is added twice is there once, and the tar of the same files is the same bytes."""
import io
import os
import stat
import tarfile


class Tree:
    """Paths are relative to the image's root, without a leading slash. Everything belongs to root."""

    def __init__(self, beneath=None):
        self.entries = {}
        self.beneath = beneath  # the layer under this one: its folders need not be said again

    def __contains__(self, path):
        return path in self.entries or (self.beneath is not None and path in self.beneath)

    def folder(self, path, mode=0o755):
        self._parents(path)
        self.entries[path] = ("folder", mode, None)

    def link(self, path, target):
        self._parents(path)
        self.entries[path] = ("link", 0o777, target)

    def file(self, path, data, mode=0o644):
        self._parents(path)
        self.entries[path] = ("file", mode, data.encode() if isinstance(data, str) else data)

    def _parents(self, path):
        parent = os.path.dirname(path)
        if parent and parent not in self:
            self.folder(parent)

    def copy(self, path):
        """A file of this system at the same place, with each symbolic link on the way to it as a link."""
        walked, rest = "", path.strip("/").split("/")
        while rest:
            step = os.path.normpath(f"{walked}/{rest.pop(0)}").strip("/")
            status = os.lstat("/" + step)
            if stat.S_ISLNK(status.st_mode):
                target = os.readlink("/" + step)
                self.link(step, target)
                walked, rest = ("" if target.startswith("/") else walked), target.strip("/").split("/") + rest
            elif stat.S_ISDIR(status.st_mode):
                walked = step
                if step not in self:
                    self.folder(step)
            else:
                with open("/" + step, "rb") as source:
                    self.file(step, source.read(), 0o755 if status.st_mode & 0o111 else 0o644)
                return step
        return walked

    def copy_all(self, path, without=()):
        """A folder of this system with everything in it, but for the names in `without`."""
        start = "/" + self.copy(path)
        for folder, _, names in os.walk(start):
            for name in names:
                if name not in without:
                    self.copy(os.path.join(folder, name))

    def bytes(self):
        """Of all files, as `du --apparent-size` would count them."""
        return sum(len(value) for kind, _, value in self.entries.values() if kind == "file")

    def tar(self, epoch):
        """POSIX tar, sorted, every time `epoch`, every owner root."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for path in sorted(self.entries):
                kind, mode, value = self.entries[path]
                member = tarfile.TarInfo(path)
                member.mode, member.mtime = mode, epoch
                member.type = {"folder": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "file": tarfile.REGTYPE}[kind]
                if kind == "link":
                    member.linkname = value
                if kind == "file":
                    member.size = len(value)
                archive.addfile(member, io.BytesIO(value) if kind == "file" else None)
        return out.getvalue()
