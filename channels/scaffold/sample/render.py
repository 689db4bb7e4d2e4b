"""A document as a post of Sample, and what is wrong with it by Sample's rules. Pure."""

from channels.contract import Limits, Message, Part, Picture, Problem
from content.document import Document, plain
from content.text import length, nfc, squeeze

KIND = "sample"
#: Write the platform's own limits here, in its own units, with the page that states them.
LIMITS = Limits(title=120, text=5_000, source="docs/channels/sample.md")


def rendered(document: Document, key: str, pictures: tuple[Picture, ...]) -> Message:
    """One post; its marker is the delivery's own short link, which stands in the text."""
    said = document.for_channel(KIND)
    pieces = [
        plain(said.blocks) or squeeze(said.summary),
        f"{said.link_label}: {said.link}" if said.link else "",
        f"Nguồn: {said.source.name}" if said.source else "",
        said.signature,
        " ".join(said.hashtags),
    ]
    body = nfc("\n\n".join(piece for piece in pieces if piece))
    part = Part(title=squeeze(said.title), body=body, link=said.link, marker=said.link or "")
    return Message(kind=KIND, key=key, parts=(part,))


def problems(message: Message) -> list[Problem]:
    """What Sample would refuse, said in Vietnamese before anything is sent."""
    part = message.parts[0]
    found = [
        Problem(level="error", field=field, text=f"{name} dài {size} ký tự, tối đa {limit} ký tự; hãy rút gọn.")
        for field, name, size, limit in (
            ("title", "Tiêu đề", length(part.title), LIMITS.title or 0),
            ("body", "Nội dung", length(part.body), LIMITS.text or 0),
        )
        if size > limit
    ]
    if not part.body.strip():
        found.append(Problem(level="error", text="Bài chưa có nội dung; hãy viết ít nhất một đoạn."))
    return found
