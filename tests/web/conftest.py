"""One server over a copy of the demo's collection, one browser, a page per test."""

import shutil

import odd
import pytest
from playwright.sync_api import expect, sync_playwright
from serving import PATIENCE, Server, copied_demo

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
# Said by browsers of what a test does on purpose: a server that is away, a file that is not there.
EXPECTED = ("Failed to load resource", "net::ERR_")

expect.set_options(timeout=40_000)


@pytest.fixture(scope="session")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no Chromium is installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server with the collection "demo", and odd documents and a label in it."""
    serving = Server(copied_demo(tmp_path_factory.mktemp("web"))).start()
    attributes = ["--attribute", "source", "--attribute", "note"]
    serving.run("ingest", "demo", "-", "--format", "jsonl", "--id", "id", "--text", "{text}", *attributes, stdin=odd.records())
    labels = f"latent,label\n{odd.MARKED_LATENT},<img src=x onerror='window.stolen=1'>\n"
    path = serving.data.parent / "labels.csv"
    path.write_text(labels)
    serving.run("latents", "labels", "import", "demo", str(path))
    yield serving
    serving.stop()


class Page:
    """A tab: Playwright's page, the server it looks at, and what the console said."""

    def __init__(self, page, server):
        self.page = page
        self.server = server
        self.said = []
        page.set_default_timeout(PATIENCE * 1000)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))

    def _note(self, message):
        if message.type in ("error", "warning") and not any(text in message.text for text in EXPECTED):
            self.said.append(f"{message.type}: {message.text}")

    def __getattr__(self, name):
        return getattr(self.page, name)

    def open(self, hash: str):
        """Goes to an address and waits until nothing is read any more."""
        self.page.goto(self.server.url(hash))
        return self.settled()

    def settled(self):
        self.page.wait_for_selector("main > *")
        # What an event changes is drawn with the next frame; so is what was read.
        frames = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        self.page.evaluate(frames)
        self.page.wait_for_function(
            "() => !document.querySelector('.skeleton, [aria-busy=true], .boot, progress')", timeout=PATIENCE * 1000
        )
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate(frames)
        return self

    @property
    def hash(self) -> str:
        return self.page.evaluate("decodeURIComponent(location.hash.replaceAll('+', ' '))")

    def hits(self) -> list[str]:
        """Ids of the hits, best first."""
        return [hit.get_attribute("data-id") for hit in self.page.get_by_test_id("hit").all()]

    def by(self, testid: str):
        return self.page.get_by_test_id(testid)


@pytest.fixture
def tabs(browser, server):
    """Makes tabs: `tabs(width=390, theme="dark")`."""
    opened = []

    def make(width=1280, height=900, theme="light", server=server):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = Page(context.new_page(), server)
        opened.append((context, page))
        return page

    yield make
    for context, page in opened:
        context.close()
    for _, page in opened:
        assert page.said == [], "the console said something"


@pytest.fixture
def page(tabs):
    return tabs()
