"""Finding an article again: by its id, or by the delivery's own short link that stands in its body.

The list (``getslice``) gives titles and figures, the detail (``getdetail``) the body. A title only says what is worth
opening; what makes an article ours is the marker. No clock of ours decides: a list is read to its end.
"""

from datetime import datetime, timedelta

from channels.contract import Found
from channels.zalo.api import OK, Api, Detail, Envelope, Medium, Slice, moment, parsed
from content.text import squeeze

_PAGE = 10
_PAGES = 30
_SURELY_OLDER = timedelta(days=2)


class Listing:
    """The articles of one account, read page by page."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def detail(self, id: str) -> Detail | None:
        """One article with its body; None where Zalo did not tell."""
        seen = await self._api.get("/v2.0/article/getdetail", id=id)
        return parsed(seen.data, Detail) if isinstance(seen, Envelope) and seen.error == OK else None

    async def medium(self, id: str) -> Medium | bool:
        """An article's row with its figures; False: the list does not have it; True: the list could not be read."""
        for page in range(_PAGES):
            rows = await self._page(page)
            if rows is None:
                return True
            found = next((row for row in rows if row.id == id), None)
            if found is not None or len(rows) < _PAGE:
                return found or False
        return False

    async def marked(self, title: str, marker: str, since: datetime, shown: str) -> Found | Medium:
        """The article whose body carries the marker and whose status is ``shown``."""
        if not marker:
            return Found(verdict="unclear", detail="Bài này không mang liên kết riêng để nhận ra.")
        oldest = since
        for page in range(_PAGES):
            rows = await self._page(page)
            if rows is None or (not page and not rows):
                return Found(verdict="unclear", detail="Zalo không trả danh sách bài đáng tin cậy.")
            for row in rows:
                if squeeze(row.title) == squeeze(title) and row.status == shown:
                    carries = await self._carries(row.id, marker)
                    if carries is None:
                        return Found(verdict="unclear", detail="Có bài cùng tiêu đề mà Zalo không cho đọc nội dung.")
                    if carries:
                        return row
            if len(rows) < _PAGE:
                return Found(verdict="absent")
            oldest = moment(rows[-1].create_date)
        older = oldest < since - _SURELY_OLDER
        return Found(verdict="absent") if older else Found(verdict="unclear", detail="Danh sách bài quá dài.")

    async def _carries(self, id: str, marker: str) -> bool | None:
        detail = await self.detail(id)
        text = detail.text if detail is not None else ""
        return marker in text if text else None

    async def _page(self, number: int) -> list[Medium] | None:
        seen = await self._api.get("/v2.0/article/getslice", offset=number * _PAGE, limit=_PAGE, type="normal")
        part = parsed(seen.data, Slice) if isinstance(seen, Envelope) and seen.error == OK else None
        return None if part is None else part.medias
