"""Frames per second while the map is panned, with points made in the browser.

    python benches/web_map [POINTS ...]

No server of LatentDB takes part: a plain file server gives the page's own modules, so that only the
painting is measured. Twice for each number of points: as the map does it, which paints fewer points
while it moves where a frame would take too long and all of them when it rests; and with every point
in every frame. Needs Playwright and a Chromium (see tests/web).
"""

import functools
import http.server
import pathlib
import shutil
import sys
import threading

from playwright.sync_api import sync_playwright

HERE = pathlib.Path(__file__).resolve().parent
WEB = HERE.parent.parent / "src" / "web"
SECONDS = 6
SIZES = [100_000, 1_000_000]
FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]
# The page takes WebGL where there is a graphics card and the 2D canvas where there is none. WebGL without a card
# (SwiftShader) is measured to show why.
WAYS = {"canvas": [], "webgl": ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]}


class Files(http.server.SimpleHTTPRequestHandler):
    def translate_path(self, path):
        if path.startswith("/bench/"):
            return str(HERE / path.removeprefix("/bench/"))
        return super().translate_path(path)

    def log_message(self, *_):
        pass


def main():
    sizes = [int(size.replace(",", "")) for size in sys.argv[1:]] or SIZES
    handler = functools.partial(Files, directory=str(WEB))
    files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=files.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{files.server_port}/bench/page.html"
    chromium = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])))
    print("900 x 600 pixels, points generated in the page; frames a second while panning")
    print("points      painted by  in a frame         fps     p50     p95   first")
    with sync_playwright() as playwright:
        for way, flags in WAYS.items():
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS + flags)
            for size in sizes:
                for every in [False, True]:
                    page = browser.new_page(viewport={"width": 920, "height": 640})
                    page.goto(address)
                    page.wait_for_function("window.ready")
                    found = page.evaluate(f"window.measure('{way}', {size}, {SECONDS}, {str(every).lower()})")
                    print(
                        f"{size:<11,} {found['kind']:<11} {found['painted']:>10,} {'(all)' if every else '':<5}"
                        f" {found['frames']:6.1f} {found['p50']:5.0f} ms {found['p95']:4.0f} ms {found['first']:5.0f} ms"
                    )
                    page.close()
            browser.close()
    files.shutdown()


if __name__ == "__main__":
    main()
