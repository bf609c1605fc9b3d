"""The application factory: the list of what the application is made of."""

from flask import Flask
from flask_appbuilder import AppBuilder
from werkzeug.middleware.proxy_fix import ProxyFix

from app import cli, db, errors, extensions, headers, logs, measures, security, tokens, views
from app.prefix import Prefix
from app.services import audit_capture
from app.tasks import broker, turns
from config import ROOT, Config

__all__ = ["create_app"]


def create_app(config: Config | None = None) -> Flask:
    """Build the application; no query runs and no connection is opened.

    Raises:
        ConfigError: when the settings cannot be used.
    """
    config = config or Config.from_env()
    app = Flask(
        "app",
        template_folder=ROOT / "templates",
        static_folder=ROOT / "static",
        instance_path=str(ROOT),
    )
    app.config.from_mapping(config.flask())
    app.extensions["settings"] = config
    logs.init_app(app)
    db.init_app(app)
    audit_capture.install()
    extensions.migrate.init_app(app, db.db, directory=str(ROOT / "migrations"))
    measures.init_app(app)
    logs.follow_requests(app)  # first of what runs before a request: the others' lines carry its id
    app.before_request(views.refuse_closed)
    tokens.init_app(app)
    headers.init_app(app)
    errors.init_app(app)
    with app.app_context():
        appbuilder = AppBuilder(
            app, db.db.session, indexview=views.Index, security_manager_class=security.SecurityManager
        )
        views.register_views(app, appbuilder)
    views.escape_translations(app)
    security.init_app(app)  # after FAB's own hook, which sets g.user
    broker.init_app(app, turns.BEAT)
    cli.init_app(app)
    app.wsgi_app = Prefix(app.wsgi_app, config.SCRIPT_NAME)  # type: ignore[method-assign]
    if hops := config.PROXY_HOPS:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=0)  # type: ignore[method-assign]
    return app
