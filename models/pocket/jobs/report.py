"""report-generation: the table tool computes, the report copies its result.

The lists that start with MORE, and the names of `code`, are for train and held only.
"""
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
    "Prepared by {who}.", "Source: {what} database.", "The figures were checked by {who}.",
    "Please do not share this list.",
    "Next update on {day}.", "All figures are final.", "The numbers come from the {place} office.",
    "Thanks to {who} for the data.",
    "This list replaces the last one.", "Questions go to {who}.",
]

MORE_TITLES = [
    "<Our|The|New|Final|Raw> {metric} <figures|count|numbers|table>< {period}|>",
    "{metric} <vs|against|over|with> {dim}<, {period}|>",
    "{Metric} <at|near|from> {place}< ({period})|>", "{name}<: | / | - >{metric}",
    "<Table|Sheet|Appendix|Annex> {n}<: |. | - >{metric}",
    "{Metric} <split|sorted|counted|broken down> by {dim}", "<Which|What> {dim} had <most|how many> {metric}?",
    "{Metric} ({dim}, {period})", "{name} {metric}< {period}|>", "{metric} <in|during|until|since> {period}",
    "{place} <branch|plant|depot|site>, {period}, {metric}",
    "<Daily|Monthly|Yearly|Total|Open|Closed> {metric}< per {dim}|>",
    "<Results|Snapshot|Extract|Comparison> of {metric} {n}", "{Dim}s and <their|the> {metric}", "{NAME} / {metric}",
]
MORE_REQUESTS = [
    "<Can|Could> you <report|write> on {what}?", "<Short|Brief|Usual> report <please|now>.", "{what}: <report|figures>",
    "Make me a <page|note> on {what}.", "<Here|This> is the table of {what}. <Report it|A report, please>.",
    "<Tell|Show> us <what the table holds|the key numbers>.", "<The board|{who}> <wants|needs> a report on {what}.",
    "<Work out|Collect> the <key |main |>figures of {what}.",
]
MORE_NOTES = [
    "<The list|This sheet> was <printed|exported|saved|closed> <by {who}|on {day}|at {place}>.",
    "<Late|Missing|Double> entries <were removed|are added later|stay out>.",
    "{who} <keeps|owns|maintains> <the list|this sheet>.",
    "<Ask|Call|Write to> {who} <for the raw data|about gaps|before you change it>.",
    "<In|At> {place} {what} <are counted|count> <twice a day|by hand|once>.",
    "<The table|The list> <holds|shows> {what} only.",
    "<Compared with|As on> {day}, <nothing changed|the method is the same>.",
]


def code(g):
    """A name for a row, of up to three words, or a code."""
    name = g.any([g.word, g.word, g.person, g.place, g.product, g.company])()
    tail = g.any(["", f" {g.word()}", f" {g.int(1, 99)}", f"-{g.any('ABCDXYZ')}{g.int(1, 9)}"])
    short = f"{g.any('ABCDEFGHKLMNPRSTUVWXYZ')}{g.any(['-', '', '/', '.'])}{g.digits(g.int(2, 5))}"
    return g.any([name + tail, name + tail, short]).replace(",", "")


def rows_of(g, dim, n):
    if g.split != "unseen" and g.p(0.35):
        return list(dict.fromkeys(code(g) for _ in range(n)))
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
        names = rows_of(g, dim, g.int(3, 8) if not long or g.split == "unseen" else g.int(8, 18))
        if len(names) >= 3:
            break
    metric = g.term(METRICS)
    period = g.any([f"week {g.int(1, 52)}", f"{g.any(MONTHS)} {g.int(2019, 2027)}", f"Q{g.any('1234')} {g.int(2019, 2027)}"])
    top = g.any([9, 99, 99, 999, 999, 9999, 99999])
    numbers = [g.int(0, top) for _ in names]
    values = [f"{n / 10:.1f}" for n in numbers] if g.p(0.12) else [str(n) for n in numbers]
    mixed = g.split != "unseen"
    if mixed and g.p(0.1):
        values = [f"{n / 100:.2f}" for n in numbers]
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
        slots = {"metric": metric, "Metric": metric.capitalize(), "dim": dim, "Dim": dim.capitalize(), "period": period,
                 "place": g.place()}
        if mixed and g.p(0.6):
            name = " ".join(g.word() for _ in range(g.int(1, 3)))
            title = g.vary(g.any(MORE_TITLES)).format(**slots, name=name, NAME=name.upper(), n=g.int(1, 400))
        else:
            title = g.say(TITLES, **slots)
        gap = "\n\n" if "," in title or style == "lines" or g.p(0.7) else "\n"
        body = g.any(["", "", "# ", "## "]) + title + g.any(["", "", ":"]) + gap + body
    if g.p(0.25) or long:
        count = (g.int(4, 10) if mixed else g.int(20, 60)) if long else 1
        body += "\n\n" + " ".join(note(g, metric) for _ in range(count))
    return body, facts(title, names, values), f"{metric} per {dim}"


def note(g, what):
    slots = {"who": g.person(), "what": what, "day": g.day(), "place": g.place()}
    more = g.split != "unseen" and g.p(0.6)
    return (g.vary(g.any(MORE_NOTES)) if more else g.vary(g.shape(NOTES))).format(**slots)


def report(f):
    return (
        f"# {f['title']}\n\n- Rows: {f['rows']}\n- Total: {f['total']}\n- Mean: {f['mean']}\n"
        f"- Highest: {f['highest']['name']} ({f['highest']['value']})\n- Lowest: {f['lowest']['name']} ({f['lowest']['value']})"
    )


def make(g, inline, long):
    mixed = g.split != "unseen"
    text, result, what = table(g, long and (mixed or not inline))
    request = g.say(REQUESTS, what=what) if g.p(0.6) else ""
    if mixed and request and g.p(0.4):
        request = g.vary(g.any(MORE_REQUESTS)).format(what=what, who=g.first())
    if mixed and long:
        size = g.int(1000, 1400) if inline else g.int(1800, 3200)
        while len(request) + len(text) * inline < size:
            request += (" " if request else "") + note(g, what.split()[0])
    calls = Calls(g)
    if inline:
        out = opening(NAME, "\n\n".join(x for x in (request, text) if x))
        out += calls.call("table_text", dumps({"table": text}), result)
    else:
        doc = g.document_id()
        out = opening(NAME, user_message(request, [doc])) + calls.call("table", dumps({"document": doc}), result)
    return {"segments": out + answer(report(result)), "text": text, "request": request, "expected": {"text": report(result)}}
