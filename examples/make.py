"""Writes the sample documents and manifest.jsonl; the same bytes every time.

    python examples/make.py          # needs models/pocket/requirements.txt

The documents come from the pocket model's generator with values that its training never used.
"""
import io
import itertools
import json
import shutil
import sys
from pathlib import Path

from PIL import Image, ImageDraw
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "models" / "pocket"))

from gen import Gen  # noqa: E402
from jobs import extraction, report, routing, summary, triage  # noqa: E402
from tools import table_facts  # noqa: E402

WIDEST = 90  # characters of a line that fits on the page
FOLDERS = ["invoices", "receipts", "orders", "emails", "incidents", "memos", "messages", "pulls", "tables", "bad"]


# ---------------------------------------------------------------- choosing
def pick(make, fits, count, first=0):
    """The first `count` results of make(g) that fit."""
    made = (make(Gen(f"examples/{seed}", "held")) for seed in itertools.count(first))
    return list(itertools.islice((m for m in made if fits(*m)), count))


def printable(text):
    return "\t" not in text and "₹" not in text and all(len(line) <= WIDEST for line in text.split("\n"))


def business_paper(kind):
    def make(g):
        gold = {"vendor": g.company(), "document_number": g.document_number(), "date": g.date(), "currency": None, "total": None}
        text = extraction.email(g, gold) if kind == "email" else extraction.form(g, gold, kind)
        return text, json.loads(extraction.record(gold))

    return make


def complete(text, record):
    return printable(text) and None not in record.values() and 6 <= text.count("\n") <= 30


def titled(*words):
    return lambda text, gold, facts: printable(text) and any(w in text.split("\n")[0] for w in words) and len(text) > 150


# ---------------------------------------------------------------- writing
def pdf(path, text, **options):
    """One page: the first line as heading, a rule where the text has a blank line."""
    buffer = io.BytesIO()
    page = Canvas(buffer, pagesize=A4, invariant=1, **options)
    y = A4[1] - 60
    for i, line in enumerate(text.split("\n")):
        if line.strip("-") == "":
            page.setStrokeGray(0.7)
            page.line(50, y + 4, A4[0] - 50, y + 4)
        else:
            page.setFont("Helvetica-Bold" if i == 0 else "Helvetica", 14 if i == 0 else 10)
            page.drawString(50, y, line)
        y -= 22 if i == 0 else 15
    page.save()
    path.write_bytes(buffer.getvalue())


def write(agent, file, text, expected):
    path = HERE / file
    if path.suffix == ".pdf":
        pdf(path, text)
    else:
        path.write_text(text + "\n")
    return {"agent": agent, "file": file, "expected": expected}


def extraction_samples():
    for first, (folder, kind, stem, suffix, count) in enumerate((
        ("invoices", "invoice", "inv", "pdf", 6), ("receipts", "receipt", "rec", "pdf", 3),
        ("orders", "purchase order", "po", "txt", 2), ("emails", "email", "mail", "txt", 4),
    )):
        for i, (text, record) in enumerate(pick(business_paper(kind), complete, count, first * 1000)):
            yield write(extraction.NAME, f"{folder}/{stem}-{i + 1:03}.{suffix}", text, {"json": record})


def summary_samples():
    for first, (stem, words, suffix, count) in enumerate((
        ("incidents/incident", ["ncident", "utage", "Postmortem"], "pdf", 3), ("memos/policy", ["olicy", "ules"], "pdf", 3),
        ("memos/status", ["tatus", "progress"], "txt", 2), ("memos/contract", ["Contract", "upplier", "greement"], "txt", 2),
    )):
        for i, (text, _, facts) in enumerate(pick(summary.document, titled(*words), count, first * 1000)):
            yield write(summary.NAME, f"{stem}-{i + 1:03}.{suffix}", text, {"facts": facts})


def routing_samples():
    seen = set()

    def fresh(text, label):
        """Each pair of queue and priority once, in ordinary spelling."""
        ordinary = any(c.isupper() for c in text) and any(c.islower() for c in text)
        return ordinary and len(text) > 120 and label not in seen and not seen.add(label)

    for i, (text, label) in enumerate(pick(routing.message, fresh, 10)):
        yield write(routing.NAME, f"messages/msg-{i + 1:03}.txt", text, {"json": json.loads(label)})


def triage_samples():
    seen = set()

    def fresh(text, severity, area):
        return "+" in text and len(text) > 150 and (severity, area) not in seen and not seen.add((severity, area))

    for i, (text, severity, area) in enumerate(pick(triage.pull_request, fresh, 10)):
        needs_human = severity in ("high", "critical") or area == "security"
        suffix = "diff" if "---\n" in text else "md"
        expected = {"severity": severity, "area": area, "needs_human": needs_human}
        yield write(triage.NAME, f"pulls/pr-{i + 1:03}.{suffix}", text, {"json": expected})


def report_samples():
    for first, (mark, suffix) in enumerate(((",", "csv"), ("\t", "tsv"), (" | ", "txt"), (";", "csv"), ("| ", "md"))):

        def fits(text, facts, what):
            rows = text.count(mark)
            return 4 <= rows and "," not in facts["title"] and ("| --- |" in text) == (suffix == "md")

        for i, (text, facts, _) in enumerate(pick(report.table, fits, 2, first * 1000)):
            assert table_facts(text) == facts
            name = f"tables/table-{2 * first + i + 1:03}.{suffix}"
            yield write(report.NAME, name, text, {"text": report.report(facts)})


def broken_documents():
    """What /parse has to refuse with a clear message."""
    text = (HERE / "emails" / "mail-001.txt").read_text()
    pdf(HERE / "bad" / "encrypted.pdf", text, encrypt=StandardEncryption("secret", "secret", canPrint=0))
    (HERE / "bad" / "empty.pdf").write_bytes(b"")
    whole = (HERE / "invoices" / "inv-001.pdf").read_bytes()
    (HERE / "bad" / "truncated.pdf").write_bytes(whole[: len(whole) // 2])
    scan = Image.new("L", (400, 120), 255)
    ImageDraw.Draw(scan).multiline_text((10, 10), "\n".join(text.split("\n")[:5]), fill=0)
    buffer = io.BytesIO()
    page = Canvas(buffer, pagesize=A4, invariant=1)
    page.drawImage(ImageReader(scan), 60, 600)
    page.save()
    (HERE / "bad" / "image-only.pdf").write_bytes(buffer.getvalue())


def main():
    for folder in FOLDERS:
        shutil.rmtree(HERE / folder, ignore_errors=True)
        (HERE / folder).mkdir()
    samples = itertools.chain(
        extraction_samples(), summary_samples(), routing_samples(), triage_samples(), report_samples()
    )
    lines = [json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples]
    (HERE / "manifest.jsonl").write_text("".join(lines))
    broken_documents()


if __name__ == "__main__":
    main()
