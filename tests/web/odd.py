"""Documents and labels that try the page: markup, other scripts, long texts."""

import json

SCRIPT = "<img src=x onerror=\"window.stolen = 1\"><script>window.stolen = 1</script>"
ARABIC = "وصل الطرد متأخرا جدا ولم أكن سعيدا بالخدمة على الإطلاق"
CHINESE = "我喜欢北京烤鸭,但是等了两个小时。"
EMOJI = "👩‍👩‍👧 the parcel 📦📦 arrived **late** again, zebra crossing"
LONG = "A very long complaint about a quokka parcel. " * 112
NO_SPACES = "pneumonoultramicroscopicsilicovolcanoconiosis" * 12

TEXTS = {
    "odd/markup": SCRIPT + " markup in a text about gnus",
    "odd/arabic": ARABIC,
    "odd/chinese": CHINESE,
    "odd/emoji": EMOJI,
    "odd/long": LONG,
    "odd/unbroken": NO_SPACES,
}
# A latent whose label is markup; one in few documents, so that no other test meets it.
MARKED_LATENT = 17


def records() -> str:
    """JSON Lines of the documents; their attributes are odd too."""
    return "".join(
        json.dumps({"id": id, "text": text, "source": "odd", "note": SCRIPT}) + "\n"
        for id, text in TEXTS.items()
    )
