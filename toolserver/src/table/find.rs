//! Finds a table in text. `models/pocket/README.md` holds the rules; the bundled model is trained on them.

use super::Row;
use super::decimal::Decimal;

/// A table's rows by name and value; rows whose value is no number are still among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(super) title: String,
    pub(super) rows: Vec<Row>,
}

/// What a search ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Table(Table),
    /// There is a table, but not with numbers under that header; its headers.
    NoColumn(Vec<String>),
    NoTable,
}

/// What stands between cells, the plainest sign of a table first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Separator {
    Tab,
    Bar,
    Semicolon,
    Comma,
    Colon,
}

impl Separator {
    const ALL: [Separator; 5] =
        [Separator::Tab, Separator::Bar, Separator::Semicolon, Separator::Comma, Separator::Colon];

    fn cells(self, line: &str) -> Vec<&str> {
        let line = line.trim_matches(' ');
        let cells = match self {
            Separator::Tab => line.split("\t"),
            Separator::Bar => {
                let line = line.trim();
                let line = line.strip_prefix('|').unwrap_or(line);
                line.strip_suffix('|').unwrap_or(line).split("|")
            }
            Separator::Semicolon => line.split(";"),
            Separator::Comma => line.split(","),
            Separator::Colon => line.split(": "),
        };
        cells.map(str::trim).collect()
    }
}

/// The line under a header, as in Markdown.
fn is_rule(line: &str) -> bool {
    line.contains('-') && line.chars().all(|char| "-:| ".contains(char))
}

/// The first table in the text; with a `column`, the first that has numbers under that header.
pub(crate) fn find(text: &str, column: Option<&str>) -> Found {
    let lines: Vec<&str> = text.lines().collect();
    let mut headers = None;
    // A single line may be a table, but any sentence with a number may look like one: only when nothing else does.
    for least in [2, 1] {
        for separator in Separator::ALL {
            let mut start = 0;
            while start < lines.len() {
                let run = Run::at(&lines, start, separator);
                if least <= run.lines.len() {
                    match run.table(&lines[..start], column) {
                        Some(Found::Table(table)) => return Found::Table(table),
                        Some(Found::NoColumn(columns)) => headers = headers.or(Some(columns)),
                        Some(Found::NoTable) | None => {}
                    }
                }
                start = run.end;
            }
        }
    }
    headers.map_or(Found::NoTable, Found::NoColumn)
}

/// Consecutive lines with the same number of cells.
struct Run<'a> {
    separator: Separator,
    lines: Vec<Vec<&'a str>>,
    /// Where the search goes on.
    end: usize,
}

impl<'a> Run<'a> {
    /// The run that begins at `start`; none begins at a line without two cells.
    fn at(lines: &[&'a str], start: usize, separator: Separator) -> Self {
        let mut run = Run { separator, lines: Vec::new(), end: start };
        for line in &lines[start..] {
            let rule = !run.lines.is_empty() && is_rule(line);
            let cells = separator.cells(line);
            let fits = 2 <= cells.len() && run.lines.first().is_none_or(|first| first.len() == cells.len());
            if line.trim().is_empty() || !(rule || fits) {
                break;
            }
            if !rule {
                run.lines.push(cells);
            }
            run.end += 1;
        }
        run.end = run.end.max(start + 1);
        run
    }

    fn table(&self, before: &[&str], column: Option<&str>) -> Option<Found> {
        let first = self.lines.first()?;
        let value_index = match column {
            None => first.len() - 1,
            Some(column) => match first.iter().position(|header| header.eq_ignore_ascii_case(column.trim())) {
                Some(index) => index,
                None => {
                    // Only a table has columns to name.
                    let table = self.table(before, None).is_some();
                    return table.then(|| Found::NoColumn(first.iter().map(|&header| header.to_owned()).collect()));
                }
            },
        };
        let is_number = |cells: &Vec<&str>| Decimal::parse(cells[value_index]).is_some();
        let has_header = self.separator != Separator::Colon && !is_number(first);
        let rows = &self.lines[usize::from(has_header)..];
        if !rows.iter().any(is_number) {
            return None;
        }
        let title = title(before).unwrap_or_else(|| {
            if has_header { format!("{} per {}", first[value_index], first[0]) } else { "values".to_owned() }
        });
        let row = |cells: &Vec<&str>| Row { name: cells[0].to_owned(), value: cells[value_index].to_owned() };
        Some(Found::Table(Table { title, rows: rows.iter().map(row).collect() }))
    }
}

/// The last line before the table that says something.
fn title(before: &[&str]) -> Option<String> {
    before.iter().rev().find_map(|line| {
        let line = line.trim().trim_start_matches(['#', '*', ' ']);
        let line = line.strip_suffix(':').unwrap_or(line).trim_end();
        (!line.is_empty()).then(|| line.to_owned())
    })
}
