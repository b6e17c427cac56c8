"""A chat endpoint as the OpenAI API describes it, which says what a test tells it to."""

import contextlib
import http.server
import json
import re
import threading


class Endpoint:
    """Answers label prompts with a word of the documents, judge prompts by looking for the label, one text
    or several, and prompts to choose concepts with those that share a word with the property, last first.

    `behave` may be replaced: it is called with each request's number and body, and gives a status
    and a body, or None for the usual answer.
    """

    def __init__(self):
        self.requests = []
        self.behave = lambda number, body: None
        self.lock = threading.Lock()
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers["content-length"])
                body = json.loads(self.rfile.read(length))
                with endpoint.lock:
                    number = len(endpoint.requests)
                    endpoint.requests.append((self.path, dict(self.headers), body))
                said = endpoint.behave(number, body) or (200, answer(body))
                status, content = said
                packed = json.dumps(content).encode()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(status)
                    self.send_header("content-length", str(len(packed)))
                    self.end_headers()
                    self.wfile.write(packed)

            def log_message(self, *_):
                """Says nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def message(text: str, tokens: int = 100):
    return {
        "choices": [{"message": {"role": "assistant", "content": text}}],
        "usage": {"total_tokens": tokens},
    }


def answer(body):
    """What a model that can read would say."""
    user = body["messages"][1]["content"]
    numbered = re.findall(r"^(\d+)\. (.*)$", user, re.MULTILINE)
    if user.startswith("Property: "):
        wanted = set(re.findall(r"\w+", user.splitlines()[0].removeprefix("Property: ").lower()))
        fitting = [
            number for number, text in numbered if wanted & set(re.findall(r"\w+", text.lower()))
        ]
        return message(", ".join(reversed(fitting)) or "none")
    if user.startswith("The first set: "):
        first, second, label = (line.split(": ", 1)[1] for line in user.splitlines()[:3])
        return message(f"Texts of {first} speak of {label} more often than those of {second}.")
    if "Does the text show the concept?" in user:
        label, text = (user.split(f"{part}: ", 1)[1].split("\n\n")[0] for part in ("Concept", "Text"))
        return message("Yes." if label in text else "no")
    if user.startswith("Concept: "):
        label = user.splitlines()[0].removeprefix("Concept: ")
        scores = [f"{number}: {1 if label in text else -0.5}" for number, text in numbered]
        return message("\n".join(scores))
    active = user.split("Texts without it:")[0]
    first = re.search(r"^1\. (\w+)", active, re.MULTILINE)[1]
    return message(f'Label: "{first}"')
