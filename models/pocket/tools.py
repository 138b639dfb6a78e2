"""What the tool server answers, in Python: for evaluation here, and as the reference for `/table` (see README.md)."""
import re
from decimal import ROUND_HALF_UP, Decimal

SEPARATORS = ["\t", "|", ";", ",", ": "]
NUMBER = re.compile(r"-?\d+(\.\d+)?")
RULER = re.compile(r"[-:| ]+")


def cells(line, separator):
    if separator == "|":
        line = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip() for cell in line.split(separator)]


def is_number(cell):
    return NUMBER.fullmatch(cell) is not None


def tables(lines, separator):
    """Runs of consecutive lines with the same number of cells: (index of the first line, rows)."""
    start, rows = 0, []
    for i, line in enumerate([*lines, ""]):
        if rows and line.strip() and RULER.fullmatch(line.strip()):
            continue
        row = cells(line, separator) if line.strip() else []
        if rows and len(row) != len(rows[0]):
            yield start, rows
            rows = []
        if len(row) >= 2:
            start = i if not rows else start
            rows.append(row)


def table_facts(text, column=None):
    lines = text.split("\n")
    for separator in SEPARATORS:
        for start, rows in tables(lines, separator):
            at = rows[0].index(column) if column in rows[0] else -1
            values = [(row[0], row[at]) for row in rows if is_number(row[at])]
            if not values:
                continue
            header = None if separator == ": " or is_number(rows[0][at]) else rows[0]
            return facts(title_of(lines[:start], header, at), *zip(*values))
    return None


def title_of(before, header, at):
    for line in reversed(before):
        title = line.strip().lstrip("#* ").removesuffix(":").rstrip()
        if title:
            return title
    return f"{header[at]} per {header[0]}" if header else "values"


def facts(title, names, values):
    """names and values in the spelling of the table."""
    numbers = [Decimal(v) for v in values]
    total = sum(numbers)
    mean = (total / len(numbers)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    high, low = numbers.index(max(numbers)), numbers.index(min(numbers))
    return {
        "title": title, "rows": len(names), "total": f"{total:f}", "mean": f"{mean:f}".rstrip("0").rstrip("."),
        "highest": {"name": names[high], "value": values[high]}, "lowest": {"name": names[low], "value": values[low]},
    }
