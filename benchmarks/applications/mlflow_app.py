"""MLflow's Flask application, as ``mlflow server --gunicorn-opts ''`` serves it; its database is in ``$DATA``.

The environment is what ``mlflow server`` hands to its workers. It has to be there before ``mlflow.server`` is imported.
"""

import os
from pathlib import Path

DATA = Path(os.environ["DATA"])
(DATA / "artifacts").mkdir(parents=True, exist_ok=True)
os.environ |= {
    "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{DATA}/mlflow.db",
    "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
    "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(DATA / "artifacts"),
    "_MLFLOW_SGI_NAME": "gunicorn",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}

from mlflow.server import app  # noqa: E402

__all__ = ["app"]
