"""What no page may do: break, violate its CSP, open a dialogue, ask another host."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog

# runs before the scripts of each page; what it writes to the console is a problem
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`refused by the CSP: ${event.effectiveDirective} ${event.blockedURI} in ${document.URL}`));
"""
FAILED = "Failed to load resource: "
ANSWERED = "the server responded with a status of "


@dataclass
class Watch:
    """Collects the problems of all pages of a test."""

    host: str
    expected: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def expect(self, *answers: int | str) -> None:
        """Let requests of this test fail with these statuses or network errors, which the browser reports."""
        self.expected |= {str(answer) for answer in answers}

    def accept(self, question: str) -> None:
        """Say OK to a question."""
        self.accepted.add(question)

    def attach(self, context: BrowserContext) -> None:
        """Watch all pages of a context."""
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", self.read)
        context.on("weberror", lambda error: self.problems.append(f"not caught: {error.error}"))
        context.on("dialog", self.answer)
        context.on("request", lambda request: self.check_host(request.url))

    def read(self, message: ConsoleMessage) -> None:
        """Note an error, unless it is a failed request that the test expects."""
        failure = message.text.removeprefix(FAILED)
        is_expected = failure != message.text and failure.removeprefix(ANSWERED).split()[0] in self.expected
        if message.type == "error" and not is_expected:
            self.problems.append(f"{message.text} ({message.location.get('url')})")

    def answer(self, dialog: Dialog) -> None:
        """Say OK if the test expects this question."""
        if dialog.message in self.accepted:
            dialog.accept()
        else:
            self.problems.append(f"{dialog.type}: {dialog.message}")
            dialog.dismiss()

    def check_host(self, url: str) -> None:
        """Note a request that leaves the site."""
        parts = urlsplit(url)
        if parts.scheme not in ("blob", "data") and parts.netloc != self.host:
            self.problems.append(f"another host: {url}")
