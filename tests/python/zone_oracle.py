"""When windows open on days on which clocks change, by Python's zoneinfo and the package tzdata.

Usage: PYTHONTZPATH= zone_oracle.py FIRST_YEAR LAST_YEAR

Prints `tzdata VERSION`, then `zone NAME` for every zone, each followed by one line for every day near
a change of its clocks (and one day of each year): `DATE SECONDS SECONDS …`, the starts of windows at
the times of STARTS as seconds since 1970. Nothing here is shared with Patchward.
"""

import sys
import zoneinfo
from datetime import date, datetime, time, timedelta, timezone
from importlib import resources

import tzdata

STARTS = ["00:00", "00:15", "00:59", "01:00", "01:30", "02:00", "02:30", "03:00", "12:00", "23:30"]
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)


def changes(zone: zoneinfo.ZoneInfo, first: date, last: date) -> set[date]:
    """Days near a change of the offset, and the first of each July."""
    days = {date(year, 7, 1) for year in range(first.year, last.year + 1)}
    day = first
    before = datetime.combine(day, time(12), zone).utcoffset()
    while day < last:
        after = datetime.combine(day + DAY, time(12), zone).utcoffset()
        if after != before:
            days.update(day + n * DAY for n in range(-1, 3))
        day, before = day + DAY, after
    return {day for day in days if first <= day <= last}


def start(zone: zoneinfo.ZoneInfo, day: date, clock: str) -> int:
    """The first of both in a fold; moved on by the length of the gap in a gap (PEP 495, fold=0)."""
    at = datetime.combine(day, time.fromisoformat(clock), zone)
    return (at.astimezone(timezone.utc) - EPOCH) // timedelta(seconds=1)


def main() -> None:
    if zoneinfo.TZPATH:
        sys.exit("set PYTHONTZPATH to nothing, so that only the package tzdata is read")
    first, last = date(int(sys.argv[1]), 1, 1), date(int(sys.argv[2]), 12, 31)
    print("tzdata", tzdata.IANA_VERSION)
    names = resources.files("tzdata").joinpath("zones").read_text().split()
    for name in sorted(names):
        zone = zoneinfo.ZoneInfo(name)
        print("zone", name)
        for day in sorted(changes(zone, first, last)):
            print(day.isoformat(), *(start(zone, day, clock) for clock in STARTS))


if __name__ == "__main__":
    main()
