//! The figures of a table: found in text, computed exactly. Never computes with floating point.

mod decimal;
mod find;

use serde::Serialize;

use decimal::Decimal;
pub(crate) use find::{Found, Table, find};

use crate::problem::Problem;

/// What a report says about a table. The keys stand in the order that the bundled model knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Figures {
    title: String,
    rows: usize,
    total: String,
    mean: String,
    highest: Row,
    lowest: Row,
}

/// One row, spelled as in the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    name: String,
    value: String,
}

/// Finds the first table of `text` and computes its figures.
pub(crate) fn figures(text: &str, column: Option<&str>) -> Result<Figures, Problem> {
    match find(text, column) {
        Found::Table(table) => compute(&table),
        Found::NoTable => Err(Problem::unusable("no_table", "no table found")),
        Found::NoColumn(columns) => {
            let columns = columns.join(", ");
            Err(Problem::unusable(
                "no_column",
                format!("the table has no such column of numbers; its columns: {columns}"),
            ))
        }
    }
}

fn compute(table: &Table) -> Result<Figures, Problem> {
    let too_large = || Problem::unusable("number_too_large", "the numbers of the table are too large to add");
    let rows: Vec<(Decimal, &Row)> =
        table.rows.iter().filter_map(|row| Some((Decimal::parse(&row.value)?, row))).collect();
    let total = rows.iter().try_fold(Decimal::ZERO, |total, (value, _)| total.plus(value)).ok_or_else(too_large)?;
    let mean = total.mean(rows.len()).ok_or_else(too_large)?;
    // The first of equals: `max_by` would give the last.
    let highest = rows.iter().reduce(|best, row| if best.0 < row.0 { row } else { best });
    let lowest = rows.iter().reduce(|best, row| if row.0 < best.0 { row } else { best });
    match (highest, lowest) {
        (Some((_, highest)), Some((_, lowest))) => Ok(Figures {
            title: table.title.clone(),
            rows: rows.len(),
            total: total.to_string(),
            mean: mean.trimmed(),
            highest: Row::clone(highest),
            lowest: Row::clone(lowest),
        }),
        _ => Err(Problem::unusable("no_table", "no table found")),
    }
}
