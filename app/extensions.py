"""The extensions, constructed here and configured nowhere else."""

from flask_appbuilder import Model
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

# FAB's declarative base, so that its tables and ours share one metadata and one migration history.
# Objects stay readable after a commit: reloading them would cost a statement for each.
db = SQLAlchemy(model_class=Model, session_options={"expire_on_commit": False})
migrate = Migrate(compare_type=True)
csrf = CSRFProtect()
limiter = Limiter(key_func=get_remote_address)
