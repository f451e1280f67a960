"""WsgiDAV over ``$DATA/files``: everybody may do everything; locks and properties in memory."""

import os
from pathlib import Path

from wsgidav.wsgidav_app import WsgiDAVApp

FILES = Path(os.environ["DATA"]) / "files"
(FILES / "docs").mkdir(parents=True, exist_ok=True)
(FILES / "hello.txt").write_text("hello\n")
(FILES / "docs" / "inner.txt").write_text("inner\n")

app = WsgiDAVApp(
    {
        "provider_mapping": {"/": str(FILES)},
        "simple_dc": {"user_mapping": {"*": True}},
        "property_manager": True,
        "lock_storage": True,
        "logging": {"enable": False},
        "verbose": 1,
    }
)
