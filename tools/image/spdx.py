"""The bill of materials: SPDX 2.3 as JSON (spdx.github.io/spdx-spec/v2.3), one package for Remora, one for each of Debian's."""
import hashlib
import json
import re
import urllib.parse

import oci

TEXT = "The name is that of Debian's copyright file, which holds the text: /usr/share/doc/{}/copyright in the image."


def identifier(name):
    return "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)


def expression(licenses):
    return " AND ".join(licenses) if licenses else "NOASSERTION"


def purl(package, distribution):
    version = urllib.parse.quote(package.version, safe=".~-")
    return f"pkg:deb/debian/{package.name}@{version}?arch={package.architecture}&distro={distribution}"


def _package(package, distribution):
    return {
        "SPDXID": identifier(package.name), "name": package.name, "versionInfo": package.version,
        "supplier": "Organization: Debian", "originator": "NOASSERTION", "downloadLocation": "NOASSERTION",
        "homepage": package.homepage or "NOASSERTION", "filesAnalyzed": False,
        "sourceInfo": f"built from source package {package.source} {package.source_version}",
        "licenseConcluded": "NOASSERTION", "licenseDeclared": expression(package.licenses), "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": purl(package, distribution)}],
    }


def _remora(version, binary):
    return {
        "SPDXID": identifier("remora"), "name": "remora", "versionInfo": version, "supplier": "NOASSERTION",
        "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "Apache-2.0",
        "licenseDeclared": "Apache-2.0", "copyrightText": "NOASSERTION", "primaryPackagePurpose": "APPLICATION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": hashlib.sha256(binary).hexdigest()}],
    }


def _extracted(packages):
    """A LicenseRef must be explained once in the document (clause 10)."""
    first = {}
    for package in packages:
        for license_id in package.licenses:
            if license_id.startswith("LicenseRef-"):
                first.setdefault(license_id, package.name)
    return [{"licenseId": license_id, "name": license_id.removeprefix("LicenseRef-"), "extractedText": TEXT.format(name)}
            for license_id, name in sorted(first.items())]


def document(version, binary, packages, distribution, epoch):
    """The document as bytes; the same packages and program give the same bytes."""
    listed = [_remora(version, binary)] + [_package(package, distribution) for package in packages]
    key = hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()[:32]
    relations = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                  "relatedSpdxElement": identifier("remora")}]
    relations += [{"spdxElementId": identifier("remora"), "relationshipType": "DEPENDS_ON",
                   "relatedSpdxElement": identifier(package.name)} for package in packages]
    whole = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"remora-{version}",
        "documentNamespace": f"https://remora.dev/spdx/remora-{version}-{key}",
        "creationInfo": {"created": oci.rfc3339(epoch), "creators": ["Tool: remora-tools-image"]},
        "packages": listed, "relationships": relations, "hasExtractedLicensingInfos": _extracted(packages),
    }
    return json.dumps(whole, indent=1, sort_keys=True).encode() + b"\n"
