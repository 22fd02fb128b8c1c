#!/usr/bin/env python3
"""Pictures of what incident.py left behind: `just pictures`.

One for each dashboard of deploy/grafana, with each panel's own query over the data that Prometheus gave,
and those that the runbook's walks point at. It is not Grafana that draws them.
"""

import html
import json
import math
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
# Told apart by those who see fewer colours, too (Okabe and Ito, "Color universal design", 2008).
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#96963c"]
INK, GREY, GRID, PAPER, RED = "#24292f", "#57606a", "#d8dee4", "#ffffff", "#cf222e"
LINES_MAX = len(COLOURS)
LEFT, RIGHT, TOP, BOTTOM = 54, 10, 26, 22
# Grafana's grid: 24 columns, and rows of 30 pixels; here a little less.
COLUMN, ROW = 40, 27
# The panels that the walks of the runbook show: file, board, panels, and the alert that is shaded.
WALKS = {
    "slow-disk.svg": ("wallex-creation", ["Latency", "Where the time goes", "Commands in a batch", "All routes, p95"], "WallexCreateSlow"),
    "stopped-projector.svg": ("wallex-outbox", ["Unprocessed events", "Lag age", "Unprocessed by consumer", "Throughput by consumer"], "WallexOutboxLagAge"),
}


def number(value):
    """Short, as on an axis: 1.5k, 250m."""
    if value == 0:
        return "0"
    for factor, name in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, "")):
        if abs(value) >= factor * 0.9999:
            return f"{value / factor:.3g}{name}"
    return f"{value:.2g}"


def with_unit(value, unit):
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "ms" and value >= 1000:
        return f"{value / 1000:.3g} s"
    if unit == "s":
        return f"{value:.3g} s" if value >= 1 or value == 0 else f"{value * 1000:.3g} ms"
    names = {"ms": " ms", "reqps": "/s", "ops": "/s"}
    return number(value) + names.get(unit, "")


def ticks(top):
    """About four round steps up to what is at least `top`."""
    raw = top / 4
    power = 10 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= raw * 0.999)
    return [step * n for n in range(math.ceil(top / step - 0.001) + 1)]


class Picture:
    def __init__(self, width, height, title):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="sans-serif" font-size="11" fill="{INK}">',
            f"<title>{html.escape(title)}</title>",
            f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
        ]

    def add(self, text):
        self.parts.append(text)

    def text(self, x, y, text, anchor="start", size=None, colour=None, weight=None):
        extra = "".join(
            f' {name}="{value}"'
            for name, value in (("text-anchor", anchor if anchor != "start" else None), ("font-size", size),
                                ("fill", colour), ("font-weight", weight))
            if value
        )
        self.add(f'<text x="{x:.0f}" y="{y:.0f}"{extra}>{html.escape(text)}</text>')

    def save(self, path):
        path.write_text("\n".join([*self.parts, "</svg>"]) + "\n")
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


class Panel:
    """Where a panel stands, and how its data becomes pixels."""

    def __init__(self, data, panel, x, y, width, height):
        self.data, self.panel = data, panel
        self.x, self.y, self.width, self.height = x, y, width, height
        self.unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "short")

    def series(self):
        found = []
        for target in self.panel["targets"]:
            for result in self.data["panels"].get(target["expr"], []):
                points = [(at, float(value)) for at, value in result["values"]]
                points = [(at, value) for at, value in points if math.isfinite(value)]
                found.append((self.name(target, result["metric"]), points))
        found = [(name, points) for name, points in found if points]
        # The busiest first; what has no colour left is told of.
        return sorted(found, key=lambda line: -max(value for _, value in line[1])) if len(found) > LINES_MAX else found

    def name(self, target, labels):
        name = target.get("legendFormat") or ""
        # There is one, at an address of that run alone.
        for label, value in dict(labels, instance="the server").items():
            name = name.replace("{{" + label + "}}", value)
        return name or self.panel["title"]

    def at(self, when):
        inner = self.width - LEFT - RIGHT
        return self.x + LEFT + inner * (when - self.data["start"]) / (self.data["end"] - self.data["start"])

    def draw(self, picture, shade):
        picture.add(f'<rect x="{self.x + 3}" y="{self.y + 3}" width="{self.width - 6}" height="{self.height - 6}" '
                    f'fill="none" stroke="{GRID}" rx="4"/>')
        picture.text(self.x + 12, self.y + 19, self.panel["title"], size=12, weight="bold")
        if self.panel["type"] == "stat":
            return self.stat(picture)
        self.shade = shade
        if self.panel["type"] == "heatmap":
            return self.heatmap(picture)
        return self.lines(picture)

    def stat(self, picture):
        series = self.series()
        values = [value for _, points in series for _, value in points]
        shown = f"{with_unit(values[-1], self.unit)}" if values else "no data"
        picture.text(self.x + 12, self.y + 58, shown, size=24, colour=COLOURS[0])
        if values:
            picture.text(self.x + 12, self.y + 80, f"at the end; at most {with_unit(max(values), self.unit)}", colour=GREY, size=10)

    def axes(self, picture, marks, legend):
        self.bottom = self.y + self.height - BOTTOM - 16 * legend
        self.top = self.y + TOP + 8
        self.shade(picture, self)
        for mark, label in marks:
            y = self.bottom - (self.bottom - self.top) * mark
            picture.add(f'<path d="M{self.x + LEFT} {y:.0f}H{self.x + self.width - RIGHT}" stroke="{GRID}"/>')
            picture.text(self.x + LEFT - 5, y + 4, label, "end", 10, GREY)
        step = 300
        first = math.ceil(self.data["start"] / step) * step
        for when in range(int(first), int(self.data["end"]), step):
            picture.text(self.at(when), self.bottom + 13, time.strftime("%H:%M", time.gmtime(when)), "middle", 10, GREY)

    def lines(self, picture):
        series = self.series()
        legend = self.legend(series)
        highest = max([value for _, points in series for _, value in points], default=0)
        marks = ticks(highest or 1)
        self.axes(picture, [(mark / marks[-1], with_unit(mark, self.unit)) for mark in marks], len(legend))
        if not series:
            picture.text(self.x + self.width / 2, (self.top + self.bottom) / 2, "no data", "middle", colour=GREY)
        for colour, (_, points) in zip(COLOURS, series):
            picture.add(f'<path d="{self.path(points, marks[-1])}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        y = self.bottom + 29
        for row in legend:
            x = self.x + LEFT
            for name, colour in row:
                picture.add(f'<path d="M{x:.0f} {y - 4:.0f}h12" stroke="{colour}" stroke-width="3"/>')
                picture.text(x + 16, y, name, size=10)
                x += 30 + 5.6 * len(name)
            y += 14

    def legend(self, series):
        names = [(name, colour) for colour, (name, _) in zip(COLOURS, series)]
        if len(series) > LINES_MAX:
            names.append((f"and {len(series) - LINES_MAX} lower", GRID))
        rows, width = [[]], 0
        for name, colour in names:
            width += 30 + 5.6 * len(name)
            if width > self.width - LEFT and rows[-1]:
                rows.append([])
                width = 30 + 5.6 * len(name)
            rows[-1].append((name, colour))
        return rows

    def path(self, points, highest):
        """With gaps where nothing was told; offsets are shorter than places."""
        path, before = "", None
        for when, value in points:
            x = round(self.at(when))
            y = round(self.bottom - (self.bottom - self.top) * value / highest)
            if before is None or when - before[2] > 1.5 * self.data["step"]:
                path += f"M{x} {y}"
            else:
                path += f"l{x - before[0]} {y - before[1]}"
            before = (x, y, when)
        return path

    def heatmap(self, picture):
        buckets = {}
        for target in self.panel["targets"]:
            for result in self.data["panels"].get(target["expr"], []):
                edge = float(result["metric"]["le"].replace("+Inf", "inf"))
                buckets[edge] = {at: float(value) for at, value in result["values"]}
        edges = sorted(buckets)
        cells, below = [], {}
        for row, edge in enumerate(edges):
            for at, value in buckets[edge].items():
                rate = value - below.get(at, 0.0)
                if rate > 0.01:
                    cells.append((at, row, rate))
            below = buckets[edge]
        used = sorted({row for _, row, _ in cells}) or [0]
        low, rows = used[0], used[-1] - used[0] + 1
        names = {row: "more" if math.isinf(edges[row]) else with_unit(edges[row], self.unit) for row in used}
        self.axes(picture, [((row - low + 1) / rows, names[row]) for row in used[:: max(1, rows // 6)]], 1)
        most = max([rate for _, _, rate in cells], default=1)
        height = (self.bottom - self.top) / rows
        for level in range(1, 6):
            path, until = "", {}
            alike = [(row, at) for at, row, rate in cells if math.ceil(5 * rate / most) == level]
            for row, at in sorted(alike):
                # Neighbours are one stroke.
                if until.get(row) == at:
                    until[row] = at + self.data["step"]
                    path = path[: path.rindex("H")]
                else:
                    y = self.bottom - height * (row - low + 0.5)
                    path += f"M{self.at(at):.0f} {y:.0f}"
                    until[row] = at + self.data["step"]
                path += f"H{self.at(until[row]):.0f}"
            if path:
                picture.add(f'<path d="{path}" stroke="{COLOURS[0]}" stroke-opacity="{level / 5}" stroke-width="{height:.1f}"/>')
        picture.text(self.x + LEFT, self.bottom + 29, f"darkest: {most:.3g} a second", size=10, colour=GREY)


def shading(data, alert):
    """The times at which `alert`, or any alert, fires."""
    step, firing = data["step"], set()
    for result in data["panels"]["ALERTS"]:
        labels = result["metric"]
        if labels["alertstate"] == "firing" and alert in (None, labels["alertname"]):
            firing |= {at for at, _ in result["values"]}

    def shade(picture, panel):
        top, bottom = panel.top, panel.bottom
        for at in sorted(firing):
            if at - step not in firing:
                end = at
                while end + step in firing:
                    end += step
                width = max(2, panel.at(end) - panel.at(at))
                picture.add(f'<rect x="{panel.at(at):.0f}" y="{top}" width="{width:.0f}" height="{bottom - top}" fill="{RED}" fill-opacity=".1"/>')

    return shade


def board(name):
    return json.loads((ROOT / f"deploy/grafana/dashboards/{name}.json").read_text())


def draw_board(data, name):
    dashboard = board(name)
    panels = [panel for panel in dashboard["panels"] if panel.get("targets")]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    picture = Picture(24 * COLUMN, rows * ROW + 30, dashboard["title"])
    picture.text(12, 20, dashboard["title"], size=15, weight="bold")
    shade = shading(data, None)
    for panel in panels:
        grid = panel["gridPos"]
        place = (grid["x"] * COLUMN, 30 + grid["y"] * ROW, grid["w"] * COLUMN, grid["h"] * ROW)
        Panel(data, panel, *place).draw(picture, shade)
    picture.save(HERE / f"{name}.svg")


def draw_walk(data, file, name, titles, alert):
    panels = {panel["title"]: panel for panel in board(name)["panels"]}
    width, height = 480, 250
    picture = Picture(2 * width, height * math.ceil(len(titles) / 2), f"{', '.join(titles)}, while {alert} comes and goes")
    shade = shading(data, alert)
    for index, title in enumerate(titles):
        place = (index % 2 * width, index // 2 * height, width, height)
        Panel(data, panels[title], *place).draw(picture, shade)
    picture.save(HERE / file)


def main():
    data = json.loads(pathlib.Path(sys.argv[1]).read_text())
    for path in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json")):
        draw_board(data, path.stem)
    events = {event["what"]: event["at"] for event in data["events"]}
    middle = events["somebody stops the ledger"]
    # Each walk is drawn over its own half.
    halves = {"slow-disk.svg": (data["start"], middle - 60), "stopped-projector.svg": (middle - 120, data["end"])}
    for file, (name, titles, alert) in WALKS.items():
        start, end = halves[file]
        part = dict(data, start=start, end=end)
        part["panels"] = {
            query: [dict(result, values=[v for v in result["values"] if start <= v[0] <= end]) for result in results]
            for query, results in data["panels"].items()
        }
        draw_walk(part, file, name, titles, alert)


if __name__ == "__main__":
    main()
