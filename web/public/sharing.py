"""What an article tells machines about itself: schema.org NewsArticle as JSON-LD, with its corrections.

https://schema.org/correction https://schema.org/CorrectionComment
"""

import json
from typing import Any

from markupsafe import Markup

from campaigns import articles
from campaigns.occasions import Occasion
from store.tables import Article, Broadcast, Ward
from web.public.share_cards import Shown
from web.public.site import Site

# Inside <script> no character reference is read, so what could end the element is written as a JSON escape
# (https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements).
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def linked_data(site: Site, ward: Ward, article: Article, shown: Shown, occasion: Occasion | None = None) -> Markup:
    """The article as https://schema.org/NewsArticle, with the event that it tells of, safe inside a script element."""
    described: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": article.title,
        "description": article.summary,
        "inLanguage": "vi",
        "url": site.address(ward, article.slug),
        "mainEntityOfPage": site.address(ward, article.slug),
        "datePublished": article.published_at.isoformat(),
        "dateModified": article.updated_at.isoformat(),
        "author": _publisher(site, ward),
        "publisher": _publisher(site, ward),
        "keywords": article.topics,
        "isAccessibleForFree": True,
        "image": _images(site, article, shown),
    }
    if article.clip:
        described["video" if article.clip["kind"] == "video" else "audio"] = _clip(site, article)
    if told := articles.corrections(article):
        described["correction"] = [
            {"@type": "CorrectionComment", "text": one.note, "datePublished": one.at.isoformat()} for one in told
        ]
    if article.source_url:
        described["isBasedOn"] = article.source_url
    return script_safe([described, _event(site, ward, article, shown, occasion)] if occasion else described)


def _event(site: Site, ward: Ward, article: Article, shown: Shown, occasion: Occasion) -> dict[str, Any]:
    """https://schema.org/Event, as search engines show it."""
    told: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Event",
        "name": occasion.name,
        "startDate": occasion.starts_at.isoformat(),
        "eventStatus": "https://schema.org/EventScheduled",
        "eventAttendanceMode": "https://schema.org/OfflineEventAttendanceMode",
        "location": {"@type": "Place", "name": occasion.place or ward.name, "address": ward.address or ward.name},
        "description": article.summary,
        "url": site.address(ward, article.slug),
        "organizer": _publisher(site, ward),
        "isAccessibleForFree": True,
        "image": shown.url,
    }
    return told | ({"endDate": occasion.ends_at.isoformat()} if occasion.ends_at else {})


def page_data(site: Site, ward: Ward, name: str, place: str, shown: Shown) -> Markup:
    """A page that lists others, as https://schema.org/CollectionPage."""
    told = {
        "@context": "https://schema.org",
        "@type": "CollectionPage",
        "name": name,
        "inLanguage": "vi",
        "url": site.address(ward, place),
        "publisher": _publisher(site, ward),
        "image": shown.described(),
    }
    return script_safe(told)


def broadcast_data(site: Site, ward: Ward, said: Broadcast, shown: Shown) -> Markup:
    """A broadcast as https://schema.org/AudioObject with its transcript."""
    told: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "AudioObject",
        "name": said.title,
        "inLanguage": "vi",
        "uploadDate": said.aired_at.isoformat(),
        "transcript": said.transcript,
        "url": site.address(ward, f"phat-thanh/{said.delivery_id}"),
        "publisher": _publisher(site, ward),
        "image": shown.described(),
    }
    if said.sha256:
        told |= {"contentUrl": f"{site.base_url}/tep/{said.sha256}", "encodingFormat": "audio/mpeg"}
        told |= {"duration": f"PT{said.seconds}S"}
    return script_safe(told)


def _images(site: Site, article: Article, shown: Shown) -> Any:
    more = [_image(site, picture) for picture in article.gallery]
    return [shown.described(), *more] if more else shown.described()


def _image(site: Site, picture: dict[str, Any]) -> dict[str, Any]:
    return {
        "@type": "ImageObject",
        "url": site.picture_url(picture),
        "width": picture["width"],
        "height": picture["height"],
        "caption": picture["alt"],
    }


def _clip(site: Site, article: Article) -> dict[str, Any]:
    """https://schema.org/VideoObject or https://schema.org/AudioObject"""
    clip = article.clip or {}
    told = {
        "@type": "VideoObject" if clip["kind"] == "video" else "AudioObject",
        "name": article.title,
        "description": clip["about"] or article.summary or article.title,
        "uploadDate": article.published_at.isoformat(),
        "contentUrl": site.picture_url(clip),
        "encodingFormat": clip["mime"],
        "contentSize": str(clip["size"]),
        "duration": f"PT{round(clip['seconds'])}S",
    }
    return told | ({"thumbnailUrl": site.picture_url(clip["poster"])} if clip.get("poster") else {})


def script_safe(value: Any) -> Markup:
    """JSON that cannot end the script element around it."""
    text = json.dumps(value, ensure_ascii=False)
    return Markup("".join(_ESCAPES.get(letter, letter) for letter in text))  # noqa: S704 -- nothing is left to escape


def _publisher(site: Site, ward: Ward) -> dict[str, str]:
    return {"@type": "GovernmentOrganization", "name": ward.centre, "url": site.address(ward)}
