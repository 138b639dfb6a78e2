"""report-generation: the table tool computes, the report copies its result."""
from pools import METRICS, MONTHS, TEAMS
from render import Calls, answer, dumps, opening, user_message
from tools import facts

NAME = "report-generation"
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
REGIONS = ["North", "South", "East", "West", "Central", "Overseas"]
DIMENSIONS = "day month quarter week team city site person agent product region store".split()
STYLES = ["pipe", "csv", "tsv", "semicolon", "lines", "markdown"]
SEPARATOR = {"pipe": " | ", "csv": ",", "tsv": "\t", "semicolon": ";", "markdown": " | ", "lines": ": "}
TITLES = [
    "{metric} per {dim}", "{metric} by {dim}", "{Metric} per {dim}, {period}", "{Metric} by {dim} in {period}",
    "{period}: {metric} per {dim}", "Number of {metric} per {dim}", "{Metric}, {period}", "Weekly {metric} by {dim}",
    "{place} office, {metric} per {dim}", "{Metric} of each {dim}", "Overview of {metric} by {dim}", "{Metric} {period}",
    "All {metric} per {dim}", "{Dim} figures: {metric}", "{Metric} for {period} by {dim}", "{place}: {metric} by {dim}",
    "{Metric} statistics, {period}", "{Metric} report {period}", "How many {metric} per {dim}", "{Dim} list of {metric}",
]
REQUESTS = [
    "Write a report.", "<Please write|Write|Make|Prepare> a <short |brief |>report <on|about> {what}.", "Report, please.",
    "Report: {what}", "Please prepare the report of {what}.", "<I need|We need> <the figures|a report> <for|on> {what}.",
    "<Turn|Make> the table into a report.", "Figures for {what}, please.", "Create the <weekly|monthly|usual> report.",
    "Give me the report on {what}.", "Summarize the table.", "What do the figures say?", "Report on the attached table.",
    "Generate a <report|Markdown report> <on this table|from this table|for {what}>.", "Please report {what}.",
]
NOTES = [
    "Prepared by {who}.", "Source: {what} database.", "The figures were checked by {who}.", "Please do not share this list.",
    "Next update on {day}.", "All figures are final.", "The numbers come from the {place} office.", "Thanks to {who} for the data.",
    "This list replaces the last one.", "Questions go to {who}.",
]


def rows_of(g, dim):
    n = g.int(3, 8)
    names = {
        "team": lambda: g.term(TEAMS).capitalize(), "city": g.place, "site": g.place, "store": g.place, "person": g.first,
        "agent": g.person, "product": g.product,
    }
    if dim in names:
        return list(dict.fromkeys(names[dim]() for _ in range(n)))
    labels = {"day": DAYS, "month": MONTHS, "quarter": [f"Q{i}" for i in range(1, 5)], "region": REGIONS,
              "week": [f"Week {i}" for i in range(1, 30)]}[dim]
    start = g.r.randrange(len(labels))
    return (labels[start:] + labels)[:min(n, len(labels))]


def table(g, long=False):
    """-> text and the facts about it."""
    while True:
        dim = g.any(DIMENSIONS)
        names = rows_of(g, dim)
        if len(names) >= 3:
            break
    metric = g.term(METRICS)
    period = g.any([f"week {g.int(1, 52)}", f"{g.any(MONTHS)} {g.int(2019, 2027)}", f"Q{g.any('1234')} {g.int(2019, 2027)}"])
    top = g.any([9, 99, 99, 999, 999, 9999, 99999])
    numbers = [g.int(0, top) for _ in names]
    values = [f"{n / 10:.1f}" for n in numbers] if g.p(0.12) else [str(n) for n in numbers]
    style = g.any(STYLES)
    columns = [names]
    headers = [g.any([dim, dim.capitalize()])]
    if style != "lines" and g.p(0.25):
        headers.append(g.value([m for m in METRICS if m != metric]))
        columns.append([str(g.int(0, 999)) for _ in names])
    headers.append(g.any([metric, metric.capitalize()]))
    columns.append(values)
    lines = [SEPARATOR[style].join(cells) for cells in zip(*columns)]
    if style != "lines":
        lines.insert(0, SEPARATOR[style].join(headers))
    if style == "markdown":
        lines = [f"| {line} |" for line in lines]
        lines.insert(1, "|" + " --- |" * len(columns))
    body, title = "\n".join(lines), f"{headers[-1]} per {headers[0]}" if style != "lines" else "values"
    if g.p(0.75):
        title = g.say(TITLES, metric=metric, Metric=metric.capitalize(), dim=dim, Dim=dim.capitalize(), period=period,
                      place=g.place())
        gap = "\n\n" if "," in title or style == "lines" or g.p(0.7) else "\n"
        body = g.any(["", "", "# ", "## "]) + title + g.any(["", "", ":"]) + gap + body
    if g.p(0.25) or long:
        note = lambda: g.say(NOTES, who=g.person(), what=metric, day=g.day(), place=g.place())
        body += "\n\n" + " ".join(note() for _ in range(g.int(20, 60) if long else 1))
    return body, facts(title, names, values), f"{metric} per {dim}"


def report(f):
    return (
        f"# {f['title']}\n\n- Rows: {f['rows']}\n- Total: {f['total']}\n- Mean: {f['mean']}\n"
        f"- Highest: {f['highest']['name']} ({f['highest']['value']})\n- Lowest: {f['lowest']['name']} ({f['lowest']['value']})"
    )


def make(g, inline, long):
    text, result, what = table(g, long and not inline)
    request = g.say(REQUESTS, what=what) if g.p(0.6) else ""
    calls = Calls(g)
    if inline:
        out = opening(NAME, "\n\n".join(x for x in (request, text) if x))
        out += calls.call("table_text", dumps({"table": text}), result)
    else:
        doc = g.document_id()
        out = opening(NAME, user_message(request, [doc])) + calls.call("table", dumps({"document": doc}), result)
    return {"segments": out + answer(report(result)), "text": text, "request": request, "expected": {"text": report(result)}}
