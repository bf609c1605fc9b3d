"""Where the API describes itself, and the page to try it out."""

from flask import Response, abort, jsonify
from flask_appbuilder.api import BaseApi, expose
from flask_appbuilder.api.manager import SwaggerView as FabSwaggerView

from app.security import site
from app.views.api.base import Api, operation
from app.views.api.openapi import new_spec

__all__ = ["OpenApi", "SwaggerView"]


class OpenApi(Api):
    """The OpenAPI document, at the address where Flask-AppBuilder has it."""

    route_base = "/api"
    class_permission_name = "OpenApi"

    @expose("/<version>/_openapi")
    @operation("Describe the API", "get")
    def get(self, version: str) -> Response:
        """Return the description of all operations of a version."""
        found = [api for api in site().baseviews if isinstance(api, BaseApi) and api.version == version]
        if not found:
            abort(404)
        spec = new_spec(version)
        for api in found:
            if api is not self:
                api.add_api_spec(spec)
        return jsonify(spec.to_dict())


class SwaggerView(FabSwaggerView):
    """Swagger UI, served by us; it signs in with the session of the page."""

    default_view = "show"

    def render_template(self, template: str, **values: object) -> str:
        """Use our page, whose script sends the CSRF token with what changes something."""
        page: str = super().render_template("admin/swagger.html", **values)
        return page
