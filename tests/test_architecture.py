"""Who may import whom, and the other rules of the house that code can check."""

import ast
import re
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = [*ROOT.glob("config*.py"), ROOT / "run.py", *sorted((ROOT / "app").rglob("*.py"))]
OURS = ("app", "config", "config_readers", "run", "tools", "tests")
LOWER = ("app.models", "app.db", "app.extensions", "app.errors", "app.metrics")
# importing module -> what of ours it may import; the longest name that fits decides
MAY_IMPORT = {
    "config": ("config_readers",),
    "config_readers": (),
    "run": ("app", "config"),
    "app": ("app", "config"),
    "app.extensions": (),
    "app.db": ("app.extensions",),
    "app.errors": (),
    "app.logs": (),
    "app.metrics": (),
    "app.measures": ("app.logs", "app.metrics", "app.extensions"),
    "app.prefix": (),
    "app.headers": (),
    "app.models": ("app.models", "app.extensions", "app.db"),
    "app.services": (*LOWER, "app.services"),
    "app.tasks.declare": ("app.services", "app.models", "app.db", "app.errors"),
    "app.tasks.queue": (*LOWER, "app.services"),
    "app.tasks.runner": (
        *LOWER,
        "app.tasks.declare",
        "app.tasks.heartbeat",
        "app.tasks.queue",
        "app.services",
        "app.logs",
    ),
    "app.tasks.broker": (*LOWER, "app.tasks", "app.services", "app.logs"),
    "app.tasks": (*LOWER, "app.tasks", "app.services"),
    "app.tokens": ("app.services", "app.models", "app.errors", "app.extensions"),
    "app.fab_commands": ("app.errors",),
    "app.security": (
        "app.db",
        "app.fab_commands",
        "app.tokens",
        "app.services",
        "app.models",
        "app.errors",
        "app.extensions",
    ),
    "app.views": (*LOWER, "app.views", "app.tasks", "app.services", "app.security", "app.tokens"),
    "app.cli": (
        "app.cli",
        "app.tasks",
        "app.db",
        "app.services",
        "app.models",
        "app.extensions",
        "app.security",
        "app.errors",
        "config",
    ),
}
KNOW_CELERY = {f"app.tasks.{name}" for name in ("broker", "clock", "presence", "queue", "runner", "transport")}
LONGEST_FILE, MEDIAN_FILE, LONGEST_FUNCTION = 250, 80, 40


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.Module) -> list[tuple[str, ast.AST]]:
    """Every module that is imported, with `from app import x` as app.x."""
    found: list[tuple[str, ast.AST]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [(name if node.module == "app" else node.module, node) for name in whole]
    return found


def allowed(importer: str) -> tuple[str, ...]:
    return MAY_IMPORT[max((name for name in MAY_IMPORT if f"{importer}.".startswith(f"{name}.")), key=len)]


@pytest.fixture(params=FILES, ids=name_of)
def module(request) -> tuple[str, ast.Module]:
    return name_of(request.param), ast.parse(request.param.read_text())


def test_modules_import_only_what_the_design_allows(module):
    name, tree = module
    ours = [found for found, _ in imports(tree) if found.split(".")[0] in OURS]
    wrong = [one for one in ours if not any(f"{one}.".startswith(f"{other}.") for other in allowed(name))]
    assert not wrong


def test_no_import_hides_in_a_function(module):
    _, tree = module
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    hidden = [n for f in functions for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert not hidden


def test_few_modules_know_celery_and_only_the_config_the_environment(module):
    name, tree = module
    names = {found.split(".")[0] for found, _ in imports(tree)}
    assert ("celery" in names) <= (name in KNOW_CELERY)
    environ = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr in ("environ", "getenv")]
    of_os = [n for n in environ if isinstance(n.value, ast.Name) and n.value.id == "os"]
    assert not of_os or name == "config"


def test_services_know_no_request_and_views_no_sql(module):
    name, tree = module
    flask = {a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module == "flask" for a in n.names}
    called = {n.func.attr for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}
    if name.startswith(("app.services", "app.models", "app.tasks")):
        assert not flask & {"request", "g", "session", "url_for", "render_template", "flash"}
        assert "flask_login" not in {found for found, _ in imports(tree)}
    if name.startswith("app.views") and name not in ("app.views.rows", "app.views.base"):
        assert "commit" not in called
        assert "select" not in {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}


def test_files_and_functions_are_short(module):
    name, tree = module
    path = next(path for path in FILES if name_of(path) == name)
    assert len(path.read_text().splitlines()) <= LONGEST_FILE
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [f.name for f in functions if (f.end_lineno or 0) - f.lineno + 1 > LONGEST_FUNCTION]
    assert not long


def test_half_of_the_modules_are_short():
    assert median(len(path.read_text().splitlines()) for path in FILES) < MEDIAN_FILE


def test_every_module_says_what_it_is_for(module):
    _, tree = module
    assert ast.get_docstring(tree)


def test_templates_mix_no_frameworks_and_mark_nothing_safe_but_widgets():
    for path in (ROOT / "templates").rglob("*.html"):
        source = path.read_text()
        if path.is_relative_to(ROOT / "templates" / "site"):
            assert "bootstrap" not in source, path
            assert "| safe" not in source, path
            assert "style=" not in source, path
        if path.is_relative_to(ROOT / "templates" / "admin"):
            assert "fomantic" not in source, path
        assert "<script>" not in source, path
        assert not [
            line for line in source.splitlines() if 'href="/' in line or 'src="/' in line or 'action="/' in line
        ]


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_pinned_package_has_its_checksums(file):
    """Without, pip refuses all of them: `make requirements` writes them."""
    pins = re.findall(r"^([a-z0-9][^=\s]*)==\S+(.*)$", (ROOT / file).read_text(), re.MULTILINE)
    assert len(pins) > 20
    assert [name for name, rest in pins if not rest.endswith(" \\")] == []
