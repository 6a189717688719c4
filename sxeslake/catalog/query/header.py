"""The leading comment of a query: title, help, parameters, filters. Strict: a mistake is named by file and line.

    -- Positions near a place on the stage
    --
    -- Nearest first. Stage coordinates mean nothing across mounts, so say which sample.
    --
    -- parameter: x number [mm] required: Stage x of the place.
    -- parameter: sample text: Sample, SAMPLE or SAMPLE@V.
    -- parameter: radius number [mm] = 0.1: Distance from the place.
    -- parameter: session text: Session, as the column of analyses has it.
    -- require: sample or session
    -- filters: positions
    -- default: kind = map
    -- show: sample, analysis_name, position_number, distance_um, comment

The first line is the title. `parameter: NAME TYPE [UNIT] = DEFAULT: HELP`; the type is one of text, number, integer,
flag, date, range; unit and default may be missing (then null); `required` stands in place of a default. A parameter is
`$name` in the SQL; a range is `$name_low` and `$name_high`. `filters: TABLE` says what the shared filters choose,
`default: FILTER = VALUE` one that holds unless another value is given. `require: A or B` asks for one of several
parameters. `$filtered` is true when any filter is given, `$copies` with --copies. `show: COLUMN, COLUMN` names the
columns that a table for people has, in its order; without it all are shown. A column `sample` stands for
`sample@version`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal

from sxeslake.catalog.query.conditions import Over
from sxeslake.catalog.query.filter_spec import BY_NAME
from sxeslake.catalog.query.filters import Filters, parse_date, parse_flag
from sxeslake.catalog.query.quantity import check_unit, parse_number, parse_range
from sxeslake.errors import InputError, SxeslakeError, UsageError
from sxeslake.text.html import HtmlRecord
from sxeslake.text.safe import visible
from sxeslake.text.suggest import did_you_mean

ParameterType = Literal["text", "number", "integer", "flag", "date", "range"]
TYPES: Final[tuple[ParameterType, ...]] = ("text", "number", "integer", "flag", "date", "range")

FILTER_MARK: Final = re.compile(
    r"/\*\s*filters:\s*(?P<over>\w+)(?:\s+(?P<alias>\w+))?\s*\*/\s*(?:true\b|(?P<own>\())", re.IGNORECASE
)

_QUERY_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PARAMETER = re.compile(
    r"(?P<name>[a-z][a-z0-9_]*)\s+(?P<type>\w+)\s*(?:\[(?P<unit>[^\]]+)\])?\s*"
    r"(?:(?P<required>required)|=\s*(?P<default>'[^']*'|[^:\s]+(?: [^:\s]+)*))?\s*:\s*(?P<help>.+)"
)
_DIRECTIVE = re.compile(r"(?P<word>parameters?|filters?|defaults?|requires?|shows?)\s*:\s*(?P<rest>.*)", re.IGNORECASE)
_WORDS: Final = ("parameter", "filters", "default", "require", "show")
_IMPLIED: Final = ("filtered", "copies")
_COLUMN = re.compile(r"\w+")
_NOT_CODE = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter: `radius number [mm] = 0.1: Distance from the place.`"""

    name: str
    type: ParameterType
    help: str
    unit: str | None = None
    default: str | None = None
    required: bool = False

    @property
    def bound_names(self) -> tuple[str, ...]:
        """The names in the SQL: a range has two."""
        return (f"{self.name}_low", f"{self.name}_high") if self.type == "range" else (self.name,)

    def value(self, given: object, query: str) -> dict[str, object]:
        """The values to bind for what was given, else the default; UsageError when it is required or unreadable."""
        if given is None or given == "":
            if self.required:
                raise UsageError(f'the query "{query}" needs --{self.name.replace("_", "-")}.', hint=f"{self.help}")
            given = self.default
        if given is None:
            return dict.fromkeys(self.bound_names)
        if self.type == "range":
            found = parse_range(given, self.unit, self._option)
            return dict(zip(self.bound_names, (found.floor, found.ceiling), strict=True))
        return {self.name: self._single(given)}

    @property
    def _option(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    def _single(self, given: object) -> str | float | int | bool | dt.datetime:
        match self.type:
            case "number" | "integer":
                number = parse_number(given if isinstance(given, int | float) else str(given), self.unit, self._option)
                if self.type == "number":
                    return number
                if number != int(number):
                    raise UsageError(f"{given} is not a whole number.", where=self._option)
                return int(number)
            case "flag":
                return parse_flag(given, self._option)
            case "date":
                return parse_date(given, self._option)
            case _:
                return str(given)


@dataclass(frozen=True, slots=True)
class Query(HtmlRecord):
    """One question of the library.

    Attributes
    ----------
    name : str
        Its name.
    title : str
        Its title.
    help : str
        What it answers.
    sql : str
        The SELECT.
    parameters : tuple of Parameter
        Its own parameters.
    over : Over or None
        The table that the shared filters narrow.
    defaults : mapping
        Values of filters that are not given.
    one_of : tuple of str
        Parameters of which one must be given.
    show : tuple of str
        Columns that people see first.
    source : str
        The file that it is from.
    trusted : bool
        Whether it is of sxeslake itself; any other runs in the sandbox.

    Examples
    --------
    >>> query = next(query for query in lake.queries() if query.name == "maps-by-beam-condition")
    >>> query.title
    'Maps by beam condition'
    """

    html_columns: ClassVar[Mapping[str, str]] = {"name": "question", "title": "title"}

    name: str
    title: str
    help: str
    sql: str
    parameters: tuple[Parameter, ...] = ()
    over: Over | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)
    one_of: tuple[str, ...] = ()
    show: tuple[str, ...] = ()
    source: str = ""
    trusted: bool = False

    @property
    def counts_filters(self) -> bool:
        """Whether the SQL asks if any filter is given."""
        return "$filtered" in self.sql

    @property
    def folds_copies(self) -> bool:
        """Whether the SQL itself asks if copies are wanted; it then has a column `copies`: those left out for a row."""
        return "$copies" in self.sql


def parse_query(name: str, text: str, *, where: object, trusted: bool = False) -> Query:
    """The query in a file's text; InputError names file and line of a mistake."""
    if not _QUERY_NAME.fullmatch(name):
        raise InputError("a query's file name is lower-case words joined by hyphens: by-operator.sql.", where=where)
    lines = text.splitlines()
    header = _Header(where)
    count = 0
    while count < len(lines) and lines[count].startswith("--"):
        count += 1
        header.read(count, visible(lines[count - 1][2:].strip()))  # titles and help reach terminals
    if not header.title:
        raise InputError("line 1: the first line is a comment with the query's title.", where=where)
    if not "\n".join(lines[count:]).strip():
        raise InputError(f"line {count + 1}: there is no SQL after the header.", where=where)
    _check_names(lines, header, where)
    return Query(
        name,
        header.title,
        " ".join(header.help).strip(),
        text.strip().rstrip(";") + "\n",
        tuple(header.parameters),
        header.over,
        header.defaults,
        header.one_of,
        header.show,
        str(where),
        trusted,
    )


class _Header:
    """What the lines read so far declare."""

    def __init__(self, where: object) -> None:
        self._where = where
        self.title = ""
        self.help: list[str] = []
        self.parameters: list[Parameter] = []
        self.over: Over | None = None
        self.defaults: dict[str, str] = {}
        self.one_of: tuple[str, ...] = ()
        self.show: tuple[str, ...] = ()

    def read(self, number: int, line: str) -> None:
        """Take in one comment line."""
        if not self.title:
            self.title = line.rstrip(".")
        elif directive := _DIRECTIVE.fullmatch(line):
            self._directive(number, directive["word"].lower(), directive["rest"].strip())
        elif (word := re.match(r"(\w+):", line)) and did_you_mean(word[1], _WORDS).startswith("Did"):
            raise self._mistake(number, f'there is no "{word[1]}:".', did_you_mean(word[1], _WORDS))
        elif line:
            self.help.append(line)

    def _directive(self, number: int, word: str, rest: str) -> None:
        if word not in _WORDS:
            raise self._mistake(number, f'there is no "{word}:".', did_you_mean(word, _WORDS))
        if word == "parameter":
            self.parameters.append(self._parameter(number, rest))
        elif word == "filters":
            if rest not in ("analyses", "positions"):
                raise self._mistake(number, f'filters choose analyses or positions, not "{rest}".')
            self.over = "analyses" if rest == "analyses" else "positions"
        elif word == "default":
            self._default(number, rest)
        elif word == "show":
            self._show(number, rest)
        else:
            self._require(number, rest)

    def _parameter(self, number: int, rest: str) -> Parameter:
        match = _PARAMETER.fullmatch(rest)
        if match is None:
            raise self._mistake(number, "a parameter is written NAME TYPE [UNIT] = DEFAULT: HELP.")
        kind = next((each for each in TYPES if each == match["type"]), None)
        if kind is None:
            raise self._mistake(number, f'there is no type "{match["type"]}".', did_you_mean(match["type"], TYPES))
        default = match["default"]
        made = Parameter(
            match["name"],
            kind,
            match["help"].strip(),
            match["unit"],
            default[1:-1] if default and default.startswith("'") else default,
            bool(match["required"]),
        )
        if made.name in [other.name for other in self.parameters]:
            raise self._mistake(number, f'the parameter "{made.name}" is declared twice.')
        try:
            if made.unit:
                check_unit(made.unit)
            if made.default is not None:
                made.value(None, "")
        except SxeslakeError as error:
            raise self._mistake(number, error.what, error.hint) from None
        return made

    def _default(self, number: int, rest: str) -> None:
        name, equals, value = (part.strip() for part in rest.partition("="))
        if not equals or not value:
            raise self._mistake(number, "a default is written FILTER = VALUE.")
        if name not in BY_NAME and name != "copies":
            raise self._mistake(number, f'there is no filter "{name}".', did_you_mean(name, [*BY_NAME, "copies"]))
        try:
            Filters.parse({name: value})
        except SxeslakeError as error:
            raise self._mistake(number, error.what, error.hint) from None
        self.defaults[name] = value

    def _show(self, number: int, rest: str) -> None:
        """Several lines add up, so that a long list can be folded."""
        names = tuple(name.strip() for name in rest.rstrip(",").split(","))
        for name in names:
            if not _COLUMN.fullmatch(name):
                raise self._mistake(number, "columns to show are written NAME, NAME, NAME.")
            if name in self.show or names.count(name) > 1:
                raise self._mistake(number, f'the column "{name}" is shown twice.')
        self.show += names

    def _require(self, number: int, rest: str) -> None:
        self.one_of = tuple(re.split(r"\s+or\s+", rest))
        known = [parameter.name for parameter in self.parameters]
        for name in self.one_of:
            if name not in known:
                raise self._mistake(number, f'the parameter "{name}" is not declared above.', did_you_mean(name, known))

    def _mistake(self, number: int, what: str, hint: str | None = None) -> InputError:
        return InputError(f"line {number}: {what}", where=self._where, hint=hint or None)


def mark_end(sql: str, mark: re.Match[str]) -> int:
    """Where a filter mark ends: behind the bracket that closes the query's own condition, if it has one.

    UsageError where nothing closes it.
    """
    if mark["own"] is None:
        return mark.end()
    depth = 0
    code = _NOT_CODE.sub(lambda match: " " * len(match[0]), sql[mark.end("own") - 1 :])
    for place, sign in enumerate(code):
        depth += (sign == "(") - (sign == ")")
        if not depth:
            return mark.end("own") + place
    raise UsageError("the bracket behind its filters is never closed.")


def _check_names(lines: Sequence[str], header: _Header, where: object) -> None:
    """Every `$name` in the SQL is declared, every declared one occurs, and filter marks fit the header."""
    declared = {name: parameter for parameter in header.parameters for name in parameter.bound_names}
    used: set[str] = set()
    # Strings and comments are blanked, not cut, so that lines keep their numbers.
    code = _NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), "\n".join(lines))
    for number, line in enumerate(code.splitlines(), start=1):
        for name in re.findall(r"\$(\w+)", line):
            if name not in declared and name not in _IMPLIED:
                hint = did_you_mean(name, declared) or "Declare it: -- parameter: NAME TYPE: HELP."
                raise InputError(f'line {number}: the parameter "${name}" is not declared.', where=where, hint=hint)
            used.add(name)
    for name in declared:
        if name not in used:
            raise InputError(f'the parameter "{name}" is declared, and the SQL does not use ${name}.', where=where)
    marks = [mark["over"].lower() for mark in FILTER_MARK.finditer("\n".join(lines))]
    if bool(marks) != bool(header.over):
        missing = f"/* filters: {header.over} */ true" if header.over else f"-- filters: {marks[0]}"
        raise InputError(f"filters are declared and used together: {missing} is missing.", where=where)
    for mark in marks:
        if mark not in ("analyses", "positions"):
            raise InputError(f'filters choose analyses or positions, not "{mark}".', where=where)
