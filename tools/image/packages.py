"""The Debian packages of this system that own given files, and what their copyright files say."""
import os
import re
import subprocess
from dataclasses import dataclass, field

# Names of the machine-readable copyright files (DEP-5 section 7.1.1) that SPDX calls otherwise. SPDX licence list 3.27.
SPDX_NAMES = {
    "Apache-2": "Apache-2.0", "Artistic": "Artistic-1.0", "BSD-2-clause": "BSD-2-Clause", "BSD-3-clause": "BSD-3-Clause",
    "BSD-4-clause": "BSD-4-Clause", "Expat": "MIT", "ISC": "ISC", "Zlib": "Zlib", "zlib": "Zlib", "curl": "curl",
    "MPL-2": "MPL-2.0", "Unicode": "Unicode-DFS-2016", "CC0": "CC0-1.0", "BSL-1": "BSL-1.0", "OpenLDAP-2.8": "OLDAP-2.8",
}
SPDX_SAME = {
    "Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "BSD-4-Clause", "BSL-1.0", "CC0-1.0", "MPL-1.1", "MPL-2.0", "OFL-1.1",
    "Unicode-DFS-2016", "Unicode-3.0", "X11", "HPND", "0BSD", "Beerware", "OLDAP-2.8", "ISC", "Zlib", "curl", "BSD-1-Clause",
}
GNU = re.compile(r"^(GPL|LGPL|AGPL|GFDL)-?v?([123])(?:\.([0-9]))?(\+?)$")


@dataclass
class Package:
    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    maintainer: str
    homepage: str
    control: str  # the paragraph of dpkg's status file
    licenses: list = field(default_factory=list)  # SPDX identifiers and LicenseRef-...


def spdx_license(name):
    """What SPDX calls a licence of a copyright file; LicenseRef-... for what it has no name for."""
    name = name.strip()
    gnu = GNU.match(name)
    if gnu:
        family, major, minor, later = gnu.groups()
        return f"{family}-{major}.{minor or '0'}-{'or-later' if later else 'only'}"
    if name in SPDX_NAMES:
        return SPDX_NAMES[name]
    return name if name in SPDX_SAME else "LicenseRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-")


def licenses_of(copyright_text):
    """The licences that a machine-readable copyright file names, sorted; none of a file that is only prose.
    debian/* is how the package is made, not what is in it."""
    if not copyright_text.lstrip().startswith("Format:"):
        return []
    found = set()
    for stanza in re.split(r"\n\s*\n", copyright_text):
        files = re.search(r"^Files:(.*(?:\n[ \t].*)*)", stanza, re.M)
        named = re.search(r"^License:[ \t]*(.+)$", stanza, re.M)
        if files and named and files.group(1).split() != ["debian/*"]:
            found.update(spdx_license(part) for part in _terms(named.group(1)))
    return sorted(found)


def _terms(expression):
    """`GPL-2+ or Artistic, and Expat` -> its names; an exception stays a part of its name."""
    parts = re.split(r"\s*(?:,|\band/or\b|\band\b|\bor\b)\s*", expression)
    return [part for part in parts if part]


def owners(paths):
    """The names of the packages that own the files; every file must have one."""
    return sorted({_owner(os.path.realpath(path)) for path in paths})


def _owner(path):
    # Debian 12 has files in its records under /lib that lie in /usr/lib.
    for known in (path, path.removeprefix("/usr")):
        found = subprocess.run(["dpkg-query", "-S", known], capture_output=True, text=True).stdout
        names = [line.split(":")[0].split(",")[0] for line in found.splitlines() if not line.startswith("diversion ")]
        if names:
            return names[0]
    raise SystemExit(f"image: no package owns {path}")


FIELDS = "${Version}\\t${Architecture}\\t${source:Package}\\t${source:Version}\\t${Maintainer}\\t${Homepage}"


def describe(name):
    def ask(*arguments):
        return subprocess.run(["dpkg-query", *arguments, name], check=True, capture_output=True, text=True).stdout
    # A package of several architectures is asked for by its name alone: the image has one.
    package = Package(name, *ask("-W", "-f", FIELDS).split("\t"), control=ask("-s"))
    with open(copyright_path(name), encoding="utf-8", errors="replace") as text:
        package.licenses = licenses_of(text.read())
    return package


def copyright_path(name):
    return f"/usr/share/doc/{name}/copyright"
