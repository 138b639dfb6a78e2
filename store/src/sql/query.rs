//! Statements as the verbs write them: one text for every database.

use sqlx::{SqlSafeStr, SqlStr};
use types::{
    AgentName, AttemptNumber, DocumentId, ProcessId, StopReason, TaskClass, TaskId, TaskState, TeamName, Timestamp,
};

/// One value for a statement. What is absent has a type as well: PostgreSQL asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    Text(Option<String>),
    Int(Option<i64>),
    Bytes(Vec<u8>),
}

/// A statement with what it is carried out on: `$1` parameters, or a table of rows where its text says `{given}`.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) text: SqlStr,
    pub(crate) input: Input,
}

#[derive(Debug)]
pub(crate) enum Input {
    Arguments(Vec<Argument>),
    Given(Given),
}

/// Rows that a statement reads as the table `given`, so that one statement does what many would.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) columns: &'static [&'static str],
    pub(crate) rows: Vec<Vec<Argument>>,
}

/// A statement with parameters; [`bind`](Query::bind) gives them, in order.
pub(crate) fn query(text: impl SqlSafeStr) -> Query {
    Query { text: text.into_sql_str(), input: Input::Arguments(Vec::new()) }
}

impl Query {
    pub(crate) fn bind(mut self, argument: impl Into<Argument>) -> Self {
        if let Input::Arguments(arguments) = &mut self.input {
            arguments.push(argument.into());
        }
        self
    }
}

impl Given {
    pub(crate) const fn new(columns: &'static [&'static str]) -> Self {
        Given { columns, rows: Vec::new() }
    }

    pub(crate) fn push<const COLUMNS: usize>(&mut self, row: [Argument; COLUMNS]) {
        debug_assert_eq!(COLUMNS, self.columns.len());
        self.rows.push(row.into());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The statement that reads these rows; there is one at least.
    pub(crate) fn query(self, text: impl SqlSafeStr) -> Query {
        Query { text: text.into_sql_str(), input: Input::Given(self) }
    }
}

/// PostgreSQL's texts cannot hold NUL, and no one means one: it becomes U+FFFD everywhere alike.
fn text(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

impl From<String> for Argument {
    fn from(given: String) -> Self {
        Argument::Text(Some(text(given)))
    }
}

impl From<Option<String>> for Argument {
    fn from(given: Option<String>) -> Self {
        Argument::Text(given.map(text))
    }
}

impl From<Vec<u8>> for Argument {
    fn from(bytes: Vec<u8>) -> Self {
        Argument::Bytes(bytes)
    }
}

macro_rules! arguments {
    ($variant:ident: $($given:ty = |$value:ident| $convert:expr,)*) => { $(
        impl From<$given> for Argument {
            fn from($value: $given) -> Self {
                Argument::from(Some($value))
            }
        }

        impl From<Option<$given>> for Argument {
            fn from(given: Option<$given>) -> Self {
                Argument::$variant(given.map(|$value| $convert))
            }
        }
    )* };
}

arguments! { Text:
    &str = |given| text(given.to_owned()),
    &String = |given| text(given.clone()),
    TaskId = |task| task.to_string(),
    TaskClass = |class| class.as_str().to_owned(),
    TaskState = |state| state.as_str().to_owned(),
    StopReason = |reason| reason.as_str().to_owned(),
    &TeamName = |team| team.as_str().to_owned(),
    &AgentName = |agent| agent.as_str().to_owned(),
    &DocumentId = |document| document.as_str().to_owned(),
    &ProcessId = |process| process.as_str().to_owned(),
}

arguments! { Int:
    u32 = |number| i64::from(number),
    u64 = |count| i64::try_from(count).unwrap_or(i64::MAX),
    bool = |flag| i64::from(flag),
    AttemptNumber = |attempt| i64::from(attempt.0),
    Timestamp = |moment| moment.as_millis(),
}

impl From<i64> for Argument {
    fn from(number: i64) -> Self {
        Argument::Int(Some(number))
    }
}

impl From<Option<i64>> for Argument {
    fn from(number: Option<i64>) -> Self {
        Argument::Int(number)
    }
}
