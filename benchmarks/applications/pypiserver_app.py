"""pypiserver over ``$DATA/packages``, as its README deploys it under gunicorn; everybody may do everything."""

import os
from pathlib import Path

import pypiserver

PACKAGES = Path(os.environ["DATA"]) / "packages"
PACKAGES.mkdir(parents=True, exist_ok=True)
(PACKAGES / "demo-1.0.tar.gz").write_bytes(b"not really an archive")

app = pypiserver.app(roots=[PACKAGES], authenticate=[], password_file=".", disable_fallback=True)
