"""Which written words are Vietnamese syllables, so that a voice can read them as they stand."""

import re
import unicodedata
from functools import lru_cache

_ONSET = "(?:ngh|ng|nh|gh|gi|kh|ch|th|tr|ph|qu|[bcdđghklmnprstvx])?"
_OPEN = """a ai am an ang anh ao au ay ăm ăn ăng âm ân âng âu ây e em en eng eo ê êm ên ênh êng êu i ia iêm iên iêng iêu im in inh
iu o oa oai oam oan oang oanh oao oay oăm oăn oăng oe oen oeo oi om on ong oong ô ôi ôm ôn ông ơ ơi ơm ơn u ua uân uâng
uây uê uênh ui um un ung uơ uôi uôm uôn uông uy uya uyên uynh uyu ư ưa ưi ưm ưn ưng ươi ươm ươn ương ươu ưu y yêm yên yêng
yêu ynh yn"""
_STOPPED = """ac ach ap at ăc ăp ăt âc âp ât ec ep et êch êp êt ich iêc iêp iêt ip it oac oach oap oat oăc oăt oc oet ooc op ot ôc ôp
ôt ơp ơt uât uc uêch up ut uôc uôt uych uyêt uyt ưc ưt uyp ươc ươp ươt yêt yt ych"""
_OPEN_SYLLABLE = re.compile(f"{_ONSET}(?:{'|'.join(_OPEN.split())})")
_STOPPED_SYLLABLE = re.compile(f"{_ONSET}(?:{'|'.join(_STOPPED.split())})")
_SPELT = re.compile(r"(?:ngh|gh|k)[iey].*|(?:ng|g|c)(?!h)[^iey].*|gi.*|(?!ngh|gh|k|ng|g|c(?!h)).*")
_TONES = dict.fromkeys(map(ord, "\u0300\u0301\u0303\u0309\u0323"))
_SHARP_OR_HEAVY = ("\u0301", "\u0323")
_MARKS = dict.fromkeys(map(ord, "\u0300\u0301\u0302\u0303\u0306\u0309\u031b\u0323"))


def _bare(text: str) -> str:
    """Without tones, hats and hooks, as in web addresses: «cuộc» is «cuoc»."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).translate(_MARKS)).replace("đ", "d")


_BARE_SYLLABLE = re.compile(f"{_bare(_ONSET)}(?:{'|'.join(sorted(set(_bare(f'{_OPEN} {_STOPPED}').split())))})")


@lru_cache(maxsize=20_000)
def is_syllable(word: str) -> bool:
    """Whether a word is one well-formed Vietnamese syllable; one that ends in a stop must bear sắc or nặng."""
    apart = unicodedata.normalize("NFD", word.lower())
    bare = unicodedata.normalize("NFC", apart.translate(_TONES))
    if _OPEN_SYLLABLE.fullmatch(bare):
        return True
    return bool(_STOPPED_SYLLABLE.fullmatch(bare)) and any(tone in apart for tone in _SHARP_OR_HEAVY)


@lru_cache(maxsize=2_000)
def unjoin(word: str, known: tuple[tuple[str, str], ...] = ()) -> str | None:
    """A run of unmarked syllables taken apart («vanphong» is «van phong»), or None where it is no such run.

    ``known`` words have readings of their own («phuong» is «phường») and are preferred; then the fewest pieces win.
    """
    best: list[tuple[int, str] | None] = [(0, ""), *[None] * len(word)]
    for end in range(1, len(word) + 1):
        for start in range(max(0, end - 20), end):
            before, piece = best[start], _piece(word[start:end], known)
            if before is None or piece is None:
                continue
            cost = before[0] + piece[0]
            here = best[end]
            if here is None or cost < here[0]:
                best[end] = cost, f"{before[1]} {piece[1]}".strip()
    whole = best[-1]
    return whole[1] if whole and whole[1] else None


def _piece(word: str, known: tuple[tuple[str, str], ...]) -> tuple[int, str] | None:
    said = dict(known).get(word)
    if said is not None:
        return 1, said
    return (3, word) if _unmarked(word) else None


def _unmarked(word: str) -> bool:
    return 1 < len(word) < 8 and bool(_BARE_SYLLABLE.fullmatch(word)) and bool(_SPELT.fullmatch(word))
