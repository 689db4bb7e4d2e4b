"""From a post to the message of one outlet: the same functions for the preview and for the wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from sqlmodel import Session, select

from campaigns import clips, dictionary, photos, takes
from campaigns.clips import Chosen
from campaigns.photos import Shot
from channels.contract import Capability, Channel, Limits, Message, Picture, PictureSpec
from content import events, templates
from content.cards import Card, draw
from content.document import Document, Source, read
from content.pictures import fit
from content.speech import Manner
from store.files import Files
from store.tables import Campaign, Outlet, Post, Template, Variant, Ward


@dataclass(frozen=True)
class Scene:
    """A post with everything around it that its text may name."""

    ward: Ward
    campaign: Campaign
    post: Post
    template: Template | None
    shots: tuple[Shot, ...]
    clip: Chosen | None
    variants: dict[int, Variant]
    outlets: dict[int, Outlet]
    manner: Manner = Manner()
    recordings: Mapping[int, takes.Chosen] = field(default_factory=dict)


def scene(session: Session, post: Post) -> Scene:
    """Everything around a post, read in one go."""
    variants = session.exec(select(Variant).where(Variant.post_id == post.id)).all()
    ids = [variant.outlet_id for variant in variants]
    outlets = session.exec(select(Outlet).where(Outlet.id.in_(ids))).all() if ids else []  # type: ignore[union-attr]
    ward = _one(session, Ward, post.ward_id)
    return Scene(
        ward=ward,
        campaign=_one(session, Campaign, post.campaign_id),
        post=post,
        template=session.get(Template, post.template_id) if post.template_id else None,
        shots=photos.of_post(session, post),
        clip=clips.of_post(session, post),
        variants={variant.outlet_id: variant for variant in variants},
        outlets={outlet.id: outlet for outlet in outlets if outlet.id is not None},
        manner=dictionary.manner(session, ward, post),
        recordings=takes.of_post(session, post.id),
    )


def _one(session: Session, table: type[Any], id: int) -> Any:
    found = session.get(table, id)
    if found is None:
        raise LookupError(f"{table.__name__} {id}")
    return found


def document(around: Scene, outlet: Outlet | None = None) -> Document:
    """What the post says, at an outlet with its own words there; raises FieldMistakes or TemplateMistake."""
    post = around.post
    made = _from_template(around) if around.template else _free(post)
    if around.template and post.body.strip():
        title, blocks = read(post.body)
        made = replace(made, title=title or made.title, blocks=blocks, own_words={})
    made = replace(
        made,
        title=post.title or made.title,
        summary=post.summary or made.summary,
        link=post.link or made.link,
        source=Source(post.source_name, post.source_url or None) if post.source_name else made.source,
        signature=around.ward.centre,
        manner=around.manner,
    )
    own = around.variants.get(outlet.id or 0) if outlet else None
    if outlet is not None and own is not None and own.body and own.body.strip():
        title, blocks = read(own.body)
        made = replace(made, own_words={**made.own_words, outlet.kind: Document(title=title, blocks=blocks)})
    return replace(made, spoken=own.reading, spoken_of=own.reading_of) if own is not None and own.reading else made


def _from_template(around: Scene) -> Document:
    assert around.template is not None  # noqa: S101
    made = templates.load(around.template.source).render(
        around.post.fields, ward_words(around.ward), campaign_words(around.campaign)
    )
    return made if made.hashtags else replace(made, hashtags=_hashtags(around.campaign))


def _free(post: Post) -> Document:
    title, blocks = read(post.body)
    return Document(title=post.title or title, blocks=blocks, event=events.free(post.fields, post.title or title))


def _hashtags(campaign: Campaign) -> tuple[str, ...]:
    return (campaign.hashtag,) if campaign.hashtag else ()


def ward_words(ward: Ward) -> dict[str, str]:
    """What a template may say of the ward as ``phuong``."""
    return {
        "ten": ward.name, "trung_tam": ward.centre, "dien_thoai": ward.phone, "dia_chi": ward.address, "website": ward.website,
    }  # fmt: skip


def campaign_words(campaign: Campaign) -> dict[str, str]:
    """What a template may say of the campaign as ``chien_dich``."""
    return {"ten": campaign.name, "hashtag": campaign.hashtag}


def card(around: Scene, made: Document) -> Card:
    """The post's card: its few words in the campaign's identity."""
    head = templates.load(around.template.source).head if around.template else None
    words = around.post.card_words
    if not words and around.template and head and head.card:
        words = templates.load(around.template.source).card_words(
            around.post.fields, ward_words(around.ward), campaign_words(around.campaign)
        )
    return Card(
        title=words or made.title,
        topic=head.topic if head and head.topic else "Thông báo",
        ward=around.ward.name,
        campaign=around.campaign.name,
        hashtag=around.campaign.hashtag,
    )


def pictures(around: Scene, made: Document, limits: Limits, files: Files) -> tuple[Picture, ...]:
    """The post's pictures as one channel wants them, kept on the shelf: as many photos as it takes, else its video's frame, the card, or none."""
    spec = limits.picture
    if spec is None:
        return ()
    if around.shots:
        return photos.pictures(around.shots[: limits.pictures], made.title, spec, files)
    if frame := clips.poster(around.clip, made.title, spec, files):
        return frame
    if not around.post.card:
        return ()
    return (_kept(card(around, made), made.title, spec, files),)


def as_card(made: Document, ward: str, limits: Limits, files: Files) -> tuple[Picture, ...]:
    """A card with the text's title alone, for what is no post; none where the channel takes no picture."""
    spec = limits.picture
    return (_kept(Card(title=made.title, ward=ward), made.title, spec, files),) if spec else ()


def _kept(drawing: Card, title: str, spec: PictureSpec, files: Files) -> Picture:
    fitted = _fitted(_drawn(drawing, spec.shape), spec)
    kept = files.put(fitted.bytes)
    return Picture(sha256=kept, mime=fitted.mime, width=fitted.width, height=fitted.height, alt=f"Ảnh: {title}")


_drawn = lru_cache(maxsize=64)(draw)
_fitted = lru_cache(maxsize=128)(fit)


def message(around: Scene, outlet: Outlet, speaker: Channel, key: str, link: str | None, files: Files) -> Message:
    """The message of one outlet; ``link`` is the short link that marks the delivery, None where the text is its own home."""
    made = document(around, outlet)
    if link is not None:
        made = replace(made, link=link)
    said = _announced(around, outlet, speaker, _said(around, made, speaker, key, files))
    said = takes.heard(said, around.recordings.get(outlet.id or 0), around.post.state == "approved")
    return said.model_copy(update={"pin": True}) if around.post.pin and Capability.PIN in speaker.capabilities else said


def _announced(around: Scene, outlet: Outlet, speaker: Channel, said: Message) -> Message:
    """As the post's own choice has it; without one, as the outlet is set."""
    chosen = around.variants.get(outlet.id or 0)
    return said if chosen is None or chosen.announce is None else speaker.announced(said, chosen.announce)


def _said(around: Scene, made: Document, speaker: Channel, key: str, files: Files) -> Message:
    shown = pictures(around, made, speaker.limits, files)
    clip = clips.carried(around.clip, speaker.limits, made.title, files)
    if clip is None:
        return speaker.render(made, key, shown)
    own = shown if around.shots or clip.kind == "audio" else ()
    return speaker.render_clip(made, key, clip, own)


def is_home(speaker: Channel | type[Channel]) -> bool:
    """Whether this channel gives a post an address of its own that others can point to."""
    kind = speaker if isinstance(speaker, type) else type(speaker)
    return kind.address is not Channel.address


def target(around: Scene, home: str | None, site: str) -> str:
    """Where a short link leads: the article on the ward's own site, else the text's link, else the ward's site."""
    return home or document(around).link or f"{site}/{around.ward.slug}/"
