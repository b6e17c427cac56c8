"""What a browser fetches first."""

import re

# Bytes as they go over the wire: document, styles, modules of the search view, vendor, messages.
BUDGET = 80 * 1024


def test_the_first_load_is_small(tabs):
    page = tabs()
    sizes = {}

    def note(response):
        if response.request.method == "GET":
            sizes[re.sub(r"^https?://[^/]+", "", response.url)] = response.request.sizes()["responseBodySize"]

    page.on("response", note)
    page.page.goto(page.server.url("/demo/search?q=arrived+late"))
    # The first search of a server opens its encoder.
    page.wait_for_selector("[data-testid=hit]", timeout=60_000)
    page.wait_for_load_state("networkidle")
    assert "/vendor/vendor.js" in sizes and "/views/search/view.js" in sizes
    total = sum(sizes.values())
    assert total < BUDGET, sorted(sizes.items(), key=lambda one: -one[1])


def test_nothing_comes_from_elsewhere(tabs):
    page = tabs()
    hosts = set()
    page.on("request", lambda request: hosts.add(re.match(r"^[a-z]+://[^/]+|^[a-z]+:", request.url)[0]))
    for hash in ("/", "/demo/search?q=x", "/demo/latents", "/guide/methods"):
        page.open(hash)
    assert {host for host in hosts if not host.startswith(("data:", "blob:"))} == {f"http://{page.server.address}"}
