"""Flask-AppBuilder with its security API, its OpenAPI document, and an API of its own: contacts. Data in ``$DATA``."""

import logging
import os
from pathlib import Path

from flask import Flask
from flask_appbuilder import AppBuilder, Model, ModelRestApi
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.utils.legacy import get_sqla_class
from sqlalchemy import Column, Integer, String

logging.getLogger("flask_appbuilder").setLevel(logging.ERROR)
DATA = Path(os.environ["DATA"])
DATA.mkdir(parents=True, exist_ok=True)


class Contact(Model):
    """Someone to write to."""

    __tablename__ = "contact"
    id = Column(Integer, primary_key=True)
    name = Column(String(100), unique=True, nullable=False)
    email = Column(String(200))


class ContactApi(ModelRestApi):
    """``/api/v1/contact``."""

    resource_name = "contact"
    datamodel = SQLAInterface(Contact)
    allow_browser_login = True


db = get_sqla_class()()
appbuilder = AppBuilder()
app = Flask("fab_app")
app.config.update(
    SECRET_KEY="not a secret, but as long as it wants one to be",
    SQLALCHEMY_DATABASE_URI=f"sqlite:///{DATA}/app.db",
    SQLALCHEMY_TRACK_MODIFICATIONS=False,
    WTF_CSRF_ENABLED=False,
    FAB_ADD_SECURITY_API=True,
    FAB_API_SWAGGER_UI=True,
    AUTH_TYPE=1,
    RATELIMIT_ENABLED=False,
)
with app.app_context():
    db.init_app(app)
    appbuilder.init_app(app, db.session)
    appbuilder.add_api(ContactApi)
    db.create_all()
