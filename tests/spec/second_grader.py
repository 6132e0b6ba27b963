"""A second grader: slow, made of tables, written from the guideline's words and not from `cds_service/crs/`.

It shares the facts of the timeline with the first, and neither a number nor a function. Where the two differ on any
patient, one of them misreads the rules. It answers in the words of `tests.spec.patients.outcome`.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar

from cds_service.crs.timeline import BloodPressure, Fact, Flag, OxygenSupport, Therapy, Timeline, Vasoactive

HOUR = timedelta(hours=1)
DAY = 24 * HOUR

# The grade of a device by itself: 0 none in use, 4 positive pressure, `flow` where the litres decide.
DEVICES = {
    "room-air": "0",
    "nasal-cannula": "flow",
    "oxygen-unspecified": "flow, with a doubt",
    "tracheostomy-tube": "flow, with a doubt",
    "blow-by": "2",
    "simple-mask": "3",
    "aerosol-mask": "3",
    "face-tent": "3",
    "tracheostomy-mask": "3",
    "venturi": "3",
    "partial-rebreather": "3",
    "non-rebreather": "3",
    "high-flow-nasal-cannula": "3",
    "cpap": "4",
    "bilevel": "4",
    "positive-pressure": "4",
    "intubation": "4",
    "ventilator": "4",
}

# For how long a drug hides fever.
HIDES = {
    "antipyretic": 12 * HOUR,
    "il6-blocker": 14 * DAY,
    "corticosteroid": 48 * HOUR,
    "il1-blocker": 24 * HOUR,
    "il6-pathway": 21 * DAY,
}

# For how long CRS of an antibody is looked for: after the first four doses, and after later ones.
LOOKS = {"blinatumomab": (72 * HOUR, 72 * HOUR), "step-up": (7 * DAY, 72 * HOUR), "early-doses": (72 * HOUR, 48 * HOUR)}

# What the gate makes of the worse sign: by fever, then by whether the grade is sure, in doubt, or may be higher.
SAYS = {
    ("fever", "sure"): "graded {}",
    ("fever", "in doubt"): "provisional {}",
    ("fever", "or higher"): "provisional {} or higher",
    ("fever in doubt", "sure"): "provisional {}",
    ("fever in doubt", "in doubt"): "provisional {}",
    ("fever in doubt", "or higher"): "provisional {} or higher",
}


def grade(timeline: Timeline, now: datetime) -> str:
    """The answer at `now`: `graded 2`, `provisional 1 or higher`, `no-crs 0`, `indeterminate`, `not-eligible`."""
    return _Patient(timeline, now).answer()


class _Sign:
    """What one sign says: its grade (0 none), whether more data could raise it, and whether it is in doubt.

    Data that was not read can raise a grade, and only lower the highest one.
    """

    def __init__(self, grade: int, *, open_end: bool = False, doubt: bool = False) -> None:
        self.grade, self.open_end = grade, open_end and grade < 4
        self.doubt = doubt or (open_end and grade == 4)


class _Patient:
    def __init__(self, timeline: Timeline, now: datetime) -> None:
        self.chart, self.now = timeline, now

    def answer(self) -> str:
        since = self.exposed_since()
        if since is None:
            return "not-eligible"
        signs = (self.hypotension(self.now), self.hypoxia(self.now))
        worst = max(sign.grade for sign in signs)
        gate = self.gate(since, worst)
        if gate == "masked":
            if worst == 0:
                return "indeterminate"
            gate = "fever in doubt"
        if gate == "none":
            return "indeterminate" if any(sign.open_end for sign in signs) else "no-crs 0"
        if gate == "unknown":
            return "indeterminate"
        may_rise = worst < 4 and any(sign.open_end for sign in signs)
        if worst == 4:
            doubt = all(sign.doubt for sign in signs if sign.grade == 4)
        else:
            doubt = any(sign.doubt for sign in signs)
        return SAYS[gate, "or higher" if may_rise else "in doubt" if doubt else "sure"].format(worst or 1)

    # Exposure

    def exposed_since(self) -> datetime | None:
        """Since when CRS is looked for; None outside every window."""
        given = [item for item in self.chart.therapies if item.time <= self.now]
        late = 90 if self.crs_charted(datetime.min.replace(tzinfo=UTC)) else 30
        open_now = [
            item.time
            for item in given
            if self.looked_for_until(item, given) >= self.now
            or (item.window == "car-t" and self.days_since(item) <= late)
        ]
        if not open_now:
            return None
        since = min(open_now)
        for item in sorted(given, key=lambda one: one.time)[::-1]:
            if item.time < since and self.looked_for_until(item, given) + DAY >= since:
                since = item.time
        return since

    def looked_for_until(self, therapy: Therapy, given: Iterable[Therapy]) -> datetime:
        if therapy.window == "car-t":
            last_day = therapy.time.date() + 30 * DAY
            return datetime.combine(last_day, time.max, tzinfo=UTC)
        earlier = {item.time.date() for item in given if item.product == therapy.product and item.time < therapy.time}
        first, later = LOOKS[therapy.window]
        ends = therapy.time + (first if len(earlier - {therapy.time.date()}) < 4 else later)
        return ends if therapy.until is None else max(ends, therapy.until)

    def days_since(self, therapy: Therapy) -> int:
        return (self.now.date() - therapy.time.date()).days

    def crs_charted(self, since: datetime) -> list[datetime]:
        named = [item.time for item in self.chart.diagnoses if item.kind == "crs"]
        scored = [one.time for one in self.chart.scores if one.instrument == "crs-grade" and one.value >= 1]
        return [at for at in named + scored if since <= at <= self.now]

    # Fever

    def gate(self, since: datetime, worst: int) -> str:
        """`fever`, `fever in doubt`, `masked`, `none`, or `unknown`."""
        hot = [item for item in self.chart.temperatures if item.celsius >= 38 and since <= item.time <= self.now]
        shown = sorted({item.time for item in hot} | set(self.crs_charted(since)))
        onset = shown[0] if shown else None
        for earlier, at in pairwise(shown):
            if self.free_of_crs(earlier, at):
                onset = at
        over = onset is not None and self.free_of_crs(shown[-1], self.now)
        if onset is None or over:
            if self.hides(None) and (onset is None or worst):
                return "masked"
            return "none" if self.surely_no_fever(since if onset is None else None) else "unknown"
        latest = [item for item in self.chart.temperatures if self.now - 12 * HOUR <= item.time <= self.now]
        newest = max((item.time for item in latest), default=None)
        febrile = any(item.celsius >= 38 for item in latest if item.time == newest)
        if not febrile and self.hides(onset):
            return "fever"
        counted = [item for item in hot if item.time >= max(onset, self.now - 24 * HOUR)]
        current = [item for item in counted if item.time >= self.now - 12 * HOUR]
        return "fever in doubt" if all(map(_uncertain, current or counted)) else "fever"

    def hides(self, onset: datetime | None) -> bool:
        """Something given hides fever now, or was given since the onset."""
        for item in self.chart.drugs:
            if item.group in HIDES and item.time <= self.now:
                last = item.time if item.until is None else min(item.until, self.now)
                if last + HIDES[item.group] >= self.now or (onset is not None and last >= onset):
                    return True
        return False

    def surely_no_fever(self, since: datetime | None) -> bool:
        window = self.now - 12 * HOUR
        measured = any(window <= item.time <= self.now for item in self.chart.temperatures)
        all_read = self.all_read("temperatures", window) and (since is None or self.all_read("temperatures", since))
        return measured and all_read and self.all_read("drugs", self.now - max(HIDES.values()))

    def free_of_crs(self, start: datetime, end: datetime) -> bool:
        """A day (two after an IL-6 blocker) without fever, hypotension, oxygen, pressor or antipyretic, all charted."""
        return any(start + DAY <= item.time <= end and self.quiet(start, item.time) for item in self.chart.temperatures)

    def quiet(self, after: datetime, end: datetime) -> bool:
        blocked = any(d.group == "il6-blocker" and end - 14 * DAY <= d.time <= end for d in self.chart.drugs)
        start = end - (48 * HOUR if blocked else 24 * HOUR)
        if start < after:
            return False
        measured = [start, *(item.time for item in _within(self.chart.temperatures, start, end)), end]
        if any(later - earlier > 12 * HOUR for earlier, later in pairwise(measured)):
            return False
        if not _within(self.chart.pressures, start, end) or not _within(self.chart.oxygen, start, end):
            return False
        kinds = ("temperatures", "pressures", "oxygen", "saturations", "vasoactives", "drugs")
        if not all(self.all_read(kind, start) for kind in kinds):
            return False
        for drug in self.chart.drugs:
            if drug.group == "antipyretic" and drug.time <= end:
                last = drug.time if drug.until is None else min(drug.until, end)
                if last + 12 * HOUR >= end:
                    return False
        if any(item.time <= end and item.until >= start for item in self.chart.vasoactives if _pressor(item)):
            return False
        if any(item.celsius >= 38 for item in _within(self.chart.temperatures, start, end)):
            return False
        if any(item.systolic < self.lowest_normal(end) for item in _within(self.chart.pressures, start, end)):
            return False
        if any(item.percent < 90 for item in _within(self.chart.saturations, start, end)):
            return False
        instants = {start, *(item.time for item in _within(self.chart.oxygen, start, end))}
        return not any(_Oxygen(self.chart, at).given for at in instants)

    # Hypotension

    def hypotension(self, now: datetime) -> _Sign:
        unread = not self.all_read("vasoactives", now - 24 * HOUR)
        running = [item for item in self.chart.vasoactives if _pressor(item) and _runs(item, now)]
        if running:
            begun = max(now - 24 * HOUR, min(item.time for item in running))
            return _pressors_grade(running, unread, not self.all_read("vasoactives", begun))
        recent = [item for item in self.chart.pressures if now - 4 * HOUR <= item.time <= now]
        pushed = [
            item
            for item in self.chart.vasoactives
            if _pressor(item) and item.bolus and now - 4 * HOUR <= item.time <= now
        ]
        if pushed:
            return _Sign(2, open_end=unread, doubt=all(map(_uncertain, pushed)))
        low = [item for item in recent if item.systolic < self.lowest_normal(now)]
        if low:
            doubt = all(map(_uncertain, low)) or self.chart.birth_date is None or self.recovered(low, now)
            return _Sign(2, open_end=unread, doubt=doubt)
        unseen = not recent or not self.all_read("pressures", now - 4 * HOUR)
        return _Sign(0, open_end=unread or unseen)

    def lowest_normal(self, now: datetime) -> Decimal:
        """The systolic pressure below which it is low: 60 to 28 days, 70 in the first year, 70 + 2 a year to 10, 90."""
        if self.chart.birth_date is None:
            return Decimal(90)
        days = (now.date() - self.chart.birth_date).days
        years = _birthdays(self.chart.birth_date, now.date())
        if days < 28:
            return Decimal(60)
        return Decimal(70 if years < 1 else 70 + 2 * years if years <= 10 else 90)

    def recovered(self, low: list[BloodPressure], now: datetime) -> bool:
        """One low reading, then two normal ones ten minutes apart, with nothing given for it."""
        at = low[0].time
        if any(item.time != at for item in low):
            return False
        after = sorted(item.time for item in self.chart.pressures if at < item.time <= now)
        apart = any(later - earlier >= timedelta(minutes=10) for earlier in after for later in after)
        blocked = any(item.group == "il6-blocker" and at <= item.time <= now for item in self.chart.drugs)
        pressed = any(_pressor(item) and item.until >= at and item.time <= now for item in self.chart.vasoactives)
        return apart and not blocked and not pressed

    # Hypoxia

    def hypoxia(self, now: datetime) -> _Sign:
        support = _Oxygen(self.chart, now)
        unread = not self.all_read("oxygen", support.told_since())
        if support.given:
            own = DEVICES.get(support.device, "")
            if own.isdigit():
                return _Sign(int(own), open_end=unread, doubt=support.doubt or support.rests_on_doubt())
            doubt = support.doubt or own != "flow" or support.rests_on_doubt()
            if support.flow is None:
                return _Sign(2, open_end=True, doubt=support.doubt or support.rests_on_doubt())
            return _Sign(3 if support.flow > 6 else 2, open_end=unread, doubt=doubt)
        unseen = support.given is None or unread
        recent = [item for item in self.chart.saturations if now - 4 * HOUR <= item.time <= now]
        if any(item.percent < 90 for item in recent):
            return _Sign(2, open_end=unseen, doubt=True)
        return _Sign(0, open_end=unseen, doubt=support.doubt)

    def all_read(self, kind: str, since: datetime) -> bool:
        gap = self.chart.gaps.get(kind)
        return gap is None or (gap.known_since is not None and gap.known_since <= since)


class _Oxygen:
    """The oxygen support at one instant: what is true then, of what was charted within four hours."""

    def __init__(self, chart: Timeline, now: datetime) -> None:
        self.chart, self.now = chart, now
        self.rows = [row for row in chart.oxygen if row.time <= now and (row.until or row.time) >= now - 4 * HOUR]
        self.sources: list[OxygenSupport] = []
        self.doubt, self.device, self.text = False, "", ""
        self.flow: Decimal | None = None
        self.fio2: Decimal | None = None
        self.given: bool | None = None
        self.settle()

    def settle(self) -> None:
        named = [row for row in self.rows if row.device or row.device_text]
        device_row, excused = self.device_now(named)
        flow_row = self.most({row: row.flow for row in self.rows if row.flow is not None})
        fio2_row = self.most({row: row.fio2 for row in self.rows if row.fio2 is not None})
        litres = flow_row.flow if flow_row else None
        if device_row and flow_row and self.of_another_device(flow_row, device_row, named):
            flow_row = None
        stops = [self.last(flow_row)] if flow_row and flow_row.flow == 0 else []
        if device_row and _rank(device_row, litres) == 0:
            stops.append(self.last(device_row))
        if stops:
            flow_row = flow_row if flow_row and self.last(flow_row) >= max(stops) else None
            fio2_row = fio2_row if fio2_row and self.last(fio2_row) >= max(stops) else None
        self.sources = [row for row in (device_row, flow_row, fio2_row, *excused) if row]
        self.flow = flow_row.flow if flow_row else None
        self.fio2 = fio2_row.fio2 if fio2_row else None
        if device_row:
            self.device, self.text = device_row.device or "", device_row.device_text
        ended = device_row and device_row.device and device_row.until and device_row.time < device_row.until < self.now
        self.doubt = bool(excused) or bool(ended)
        self.decide()

    def decide(self) -> None:
        own = DEVICES.get(self.device)
        gas = bool(self.flow) or (self.fio2 is not None and self.fio2 > 21)
        off = own == "0" or (self.flow == 0 and own != "4")
        if gas:
            self.given = True
            if off:
                self.device = "" if own == "0" else self.device
                self.flow = self.flow or None
        elif own == "4":
            self.given = True
        elif self.sources and not self.text:
            self.given = bool(self.device) and not off

    def device_now(self, named: list[OxygenSupport]) -> tuple[OxygenSupport | None, list[OxygenSupport]]:
        excused = [row for row in named if self.excused(row)]
        flow_row = self.most({row: row.flow for row in self.rows if row.flow is not None})
        litres = flow_row.flow if flow_row else None
        rest = self.newest([row for row in named if row not in excused])
        chosen = max(rest, key=lambda row: (_rank(row, litres), row.device or row.device_text), default=None)
        return chosen, [row for row in self.newest(named) if row in excused]

    def excused(self, row: OxygenSupport) -> bool:
        """Home CPAP, or a tube for the airway or a procedure, is not hypoxia."""
        if DEVICES.get(row.device or "") != "4":
            return False
        at_home = [fact for fact in self.chart.diagnoses if fact.kind == "home-positive-pressure"]
        if row.device == "cpap" and any(fact.time <= self.now for fact in at_home):
            return True
        tubes = [one for one in self.rows if Flag.AIRWAY_ONLY in one.flags]
        during = any(tube.time <= row.time <= self.last(tube) for tube in tubes)
        return row in tubes or (row.device in ("intubation", "ventilator") and during)

    def of_another_device(self, flow: OxygenSupport, device: OxygenSupport, named: list[OxygenSupport]) -> bool:
        at = self.last(flow)
        if at >= self.last(device):
            return False
        before = [row for row in named if row.time <= at]
        newest = max((row.time for row in before), default=at)
        then = {row.device or row.device_text for row in before if min(row.until or row.time, at) >= newest}
        return flow.flow == 0 or (bool(then) and (device.device or device.device_text) not in then)

    def last(self, row: OxygenSupport) -> datetime:
        return min(row.until, self.now) if row.until else row.time

    def newest(self, rows: Iterable[OxygenSupport]) -> list[OxygenSupport]:
        rows = list(rows)
        latest = max((row.time for row in rows), default=self.now)
        return [row for row in rows if self.last(row) >= latest]

    def most(self, amounts: dict[OxygenSupport, Decimal]) -> OxygenSupport | None:
        return max(self.newest(amounts), key=lambda row: amounts[row], default=None)

    def told_since(self) -> datetime:
        """Since when all must have been read for nothing else to matter."""
        window = self.now - 4 * HOUR
        own = DEVICES.get(self.device, "")
        if not own or (own.startswith("flow") and self.flow is None):
            return window
        return max(window, min(row.time for row in self.sources))

    def rests_on_doubt(self) -> bool:
        if DEVICES.get(self.device, "").isdigit():
            decides = [row for row in self.sources if row.device == self.device]
        else:
            decides = [row for row in self.sources if row.flow is not None or row.fio2 is not None]
        return bool(decides) and all(map(_uncertain, decides))


FactT = TypeVar("FactT", bound=Fact)


def _within(facts: Iterable[FactT], start: datetime, end: datetime) -> list[FactT]:
    return [fact for fact in facts if start <= fact.time <= end]


def _rank(row: OxygenSupport, litres: Decimal | None) -> int:
    own = DEVICES.get(row.device or "")
    if own is None:
        return 1
    return int(own) if own.isdigit() else 3 if litres is not None and litres > 6 else 2


def _pressors_grade(running: list[Vasoactive], unread: bool, stop_unread: bool) -> _Sign:
    """Two vasopressors that are not vasopressin are grade 4, anything less grade 3; in doubt if it rests on a doubt."""
    counted = {item.agent for item in running if item.role == "vasopressor"}
    certain = [item for item in running if not _uncertain(item)]
    if len(counted) >= 2:
        certain_agents = {item.agent for item in certain if item.role == "vasopressor"}
        return _Sign(4, open_end=stop_unread, doubt=len(certain_agents) < 2)
    return _Sign(3, open_end=unread, doubt=not certain)


def _pressor(item: Vasoactive) -> bool:
    return item.role in ("vasopressor", "vasopressin")


def _runs(item: Vasoactive, now: datetime) -> bool:
    return not item.bolus and item.time <= now and now < item.until


def _uncertain(fact: Fact) -> bool:
    return Flag.UNIT_INFERRED in fact.flags or Flag.ASSUMED_ZONE in fact.flags


def _birthdays(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
