"""The wards' own plans: every «nhiệm vụ» that communication can serve, with the clause it comes from.

One TOML file per ward in ``library/plans``. Quotes are the documents' words with their slips of the pen
corrected; nothing is added to them.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from content.text import nfc

PLANS = Path(__file__).parent / "library" / "plans"

Text = Annotated[str, BeforeValidator(lambda value: nfc(value).strip() if isinstance(value, str) else value)]
Said = Annotated[Text, Field(min_length=1)]


class PlanMistake(ValueError):
    """A plan file that cannot be used; the message is Vietnamese and names the file and the place in it."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlanWard(_Row):
    """What the document says of its ward; contacts are empty where the document gives none."""

    slug: Annotated[Said, Field(pattern=r"^[a-z0-9-]+$")]
    name: Said
    short_name: Said
    centre: Said
    office: Said
    report_symbol: Said
    report_to: Annotated[tuple[Said, ...], Field(min_length=1)]
    signatory_title: Said
    signatory: Said
    phone: Text = ""
    address: Text = ""
    website: Text = ""

    def words(self) -> dict[str, str]:
        """What templates know as ``phuong``: ten, trung_tam, dien_thoai, dia_chi, website."""
        return {
            "ten": self.name,
            "trung_tam": self.centre,
            "dien_thoai": self.phone,
            "dia_chi": self.address,
            "website": self.website,
        }


class PlanTask(_Row):
    """One «nhiệm vụ»: where it stands, who leads, what it says, and what communication should do for it.

    ``goal`` is in ``goal_unit``. ``other_means`` says how a task without a template is served.
    """

    code: Annotated[Said, Field(pattern=r"^[a-z]+(-[a-z0-9.]+)+$")]
    clause: Said
    lead: Said
    quote: Said
    summary: Said
    goal: Annotated[float, Field(gt=0)] | None = None
    goal_unit: Text = ""
    other_means: Text = ""

    @model_validator(mode="after")
    def _measured(self) -> Self:
        if (self.goal is None) != (not self.goal_unit):
            raise ValueError("goal và goal_unit phải đi cùng nhau")
        return self


class LeftOut(_Row):
    """A clause that communication does not serve, and why."""

    clause: Said
    reason: Said


class Plan(_Row):
    """One ward's document; ``code`` opens the codes of all its tasks."""

    code: Annotated[Said, Field(pattern=r"^[a-z]+$")]
    document: Said
    short_document: Said
    basis: Said
    ward: PlanWard
    tasks: Annotated[tuple[PlanTask, ...], Field(min_length=1)]
    left_out: tuple[LeftOut, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        codes = [task.code for task in self.tasks]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            raise ValueError(f"mã nhiệm vụ bị trùng: {', '.join(twice)}")
        foreign = [code for code in codes if not code.startswith(f"{self.code}-")]
        if foreign:
            raise ValueError(f"mã nhiệm vụ phải mở đầu bằng «{self.code}-»: {', '.join(foreign)}")
        return self


def load_plans(folder: Path = PLANS) -> list[Plan]:
    """Every plan in ``folder``, in the order of file names; raises PlanMistake naming the file at fault."""
    plans = [read_plan(path.read_text("utf-8"), path.name) for path in sorted(folder.glob("*.toml"))]
    codes = [plan.code for plan in plans]
    if len(set(codes)) < len(codes):
        raise PlanMistake("Hai kế hoạch dùng chung một mã; hãy đổi mục «code» của một tệp.")
    return plans


def read_plan(text: str, name: str) -> Plan:
    """The plan written in this TOML text; ``name`` is the file named in a PlanMistake."""
    try:
        return Plan.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise PlanMistake(f"Tệp kế hoạch {name} không đọc được: {error}. Hãy sửa dòng đó.") from error
    except ValidationError as error:
        raise PlanMistake(f"Tệp kế hoạch {name}: {'; '.join(map(_mistake, error.errors()))}.") from error


def _mistake(error: ErrorDetails) -> str:
    place = ".".join(str(part) for part in error["loc"])
    words = {"missing": "còn thiếu", "extra_forbidden": "là mục lạ, hãy xóa hoặc sửa tên"}
    said = words.get(error["type"], f"không hợp lệ ({str(error['msg']).removeprefix('Value error, ')})")
    return f"mục «{place}» {said}" if place else said
