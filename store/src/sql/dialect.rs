//! Where the databases differ.

use super::query::{Argument, Given};

/// Which database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// Begins a transaction that writes.
    pub(crate) fn begin(self) -> &'static str {
        match self {
            // A transaction that began by reading could not go on to write while another writes.
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        }
    }

    /// At the end of a SELECT: others wait until what was read may be changed by them.
    pub(crate) fn for_update(self) -> &'static str {
        match self {
            // It has one writer.
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR UPDATE",
        }
    }

    /// As [`for_update`](Self::for_update), without what others hold.
    pub(crate) fn for_update_skip_locked(self) -> &'static str {
        match self {
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// At the end of a SELECT from documents: none of them is deleted until the transaction is over.
    pub(crate) fn for_reference_to_documents(self) -> &'static str {
        match self {
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR KEY SHARE OF documents",
        }
    }

    /// The table `given` as a statement spells it, and the parameters that it takes: a JSON array of arrays for SQLite,
    /// an array for each column for PostgreSQL.
    pub(crate) fn given(self, given: &Given) -> String {
        let list = |item: &dyn Fn(usize, &str) -> String| {
            let items = given.columns.iter().enumerate().map(|(index, name)| item(index, name));
            items.collect::<Vec<_>>().join(", ")
        };
        match self {
            Dialect::Sqlite => {
                let columns = list(&|index, name| format!("value ->> {index} AS {name}"));
                format!("(SELECT {columns} FROM json_each($1)) AS given")
            }
            Dialect::Postgres => {
                let kind = |index: usize| match given.rows.first().and_then(|row| row.get(index)) {
                    Some(Argument::Int(_)) => "bigint",
                    Some(Argument::Text(_) | Argument::Bytes(_)) | None => "text",
                };
                let arrays = list(&|index, _| format!("${}::{}[]", index + 1, kind(index)));
                format!("UNNEST({arrays}) AS given({})", given.columns.join(", "))
            }
        }
    }
}
