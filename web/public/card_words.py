"""What the card of each public page says, by the page's place under its ward: the words, and the campaign's look."""

from dataclasses import dataclass, replace
from datetime import date

from sqlmodel import Session, col, select

from campaigns import articles, broadcasts, occasions
from content.cards import CAMPAIGN, Card
from content.fonts import drawable
from store.tables import Article, Broadcast, Campaign, Ward
from web.public.site import Site, date_and_time, row_id

FRONT = "trang-chu"
EVENTS = "su-kien"
BROADCASTS = "phat-thanh"
TOPIC = "chu-de"


@dataclass(frozen=True)
class _Said:
    """The words of a card (``ward`` only where somebody else speaks), and the day whose campaign gives it its look."""

    card: Card
    day: date


def card_of(site: Site, session: Session, ward: Ward, place: str) -> Card | None:
    """The card of the ward's page at a place («trang-chu», «chu-de/…», an article's address); None where there is no such page."""
    said = _said_of(site, session, ward, place)
    if said is None:
        return None
    campaign = _campaign(session, ward, said.day)
    called = _upper_first(ward.name)
    return replace(
        said.card,
        title=said.card.title if drawable(said.card.title) else called,
        ward=_upper_first(said.card.ward) or called,
        campaign=campaign.name if campaign else CAMPAIGN,
        hashtag=campaign.hashtag if campaign else "",
    )


def every_ward() -> Card:
    """The card of the list of wards."""
    return Card(title="Trang thông tin các phường", topic="Thông tin chính thức", theme="slogan")


def _said_of(site: Site, session: Session, ward: Ward, place: str) -> _Said | None:
    kind, _, name = place.partition("/")
    if place in (FRONT, EVENTS, BROADCASTS):
        return _Said(_of_list(ward, place), site.now().date())
    if kind == TOPIC:
        topic = site.catalogue(session, ward).topic(name)
        return _Said(Card(topic.name, "Chủ đề", theme=topic.name), site.now().date()) if topic else None
    if kind == BROADCASTS:
        said = broadcasts.one(session, row_id(ward), int(name)) if _is_number(name) else None
        return _of_broadcast(ward, said) if said else None
    article = articles.at(session, row_id(ward), place)
    return _of_article(site, session, ward, article) if article and article.withdrawn_at is None else None


def _of_list(ward: Ward, place: str) -> Card:
    if place == FRONT:
        return Card(_upper_first(ward.name), "Trang thông tin", ward.centre, theme="slogan")
    if place == EVENTS:
        return Card("Lịch sự kiện", "Sự kiện", theme="event")
    return Card("Nghe lại bản tin phát thanh", "Phát thanh")


def _of_article(site: Site, session: Session, ward: Ward, article: Article) -> _Said:
    """An invitation's card tells when and where."""
    entry = next((one for one in site.catalogue(session, ward).entries if one.key == article.key), None)
    occasion = occasions.of_entry(entry) if entry else None
    topic = article.topics[0] if article.topics else ("Sự kiện" if occasion else "Thông báo")
    card = Card(article.title, topic)
    if occasion:
        when = date_and_time(occasion.starts_at, ward)
        card = replace(card, theme="event", date=when, place=occasion.place)
    return _Said(card, article.published_at.date())


def _of_broadcast(ward: Ward, said: Broadcast) -> _Said:
    card = Card(said.title, "Phát thanh", date=date_and_time(said.aired_at, ward))
    return _Said(card, said.aired_at.date())


def _campaign(session: Session, ward: Ward, day: date) -> Campaign | None:
    """The ward's campaign of that day: of those begun by then the latest."""
    begun = select(Campaign).where(Campaign.ward_id == row_id(ward), col(Campaign.starts_on) <= day)
    return session.exec(begun.order_by(col(Campaign.starts_on).desc(), col(Campaign.id)).limit(1)).first()


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 10


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]
