//! The seam to a database: statements in, rows out. Each statement is prepared once per connection.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnection, Postgres};
use sqlx::query::Query as Prepared;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Error, SqlSafeStr, SqlStr};

use super::dialect::Dialect;
use super::query::{Argument, Given, Input, Query};
use super::row::Row;

/// A connection to a database.
#[async_trait]
pub(crate) trait Sql: Send {
    /// Which database it speaks to.
    fn dialect(&self) -> Dialect;

    /// Carries a statement out and says how many rows it changed.
    async fn execute(&mut self, query: Query) -> Result<u64, Error>;

    /// Carries a statement out and returns its rows.
    async fn rows(&mut self, query: Query) -> Result<Vec<Row>, Error>;
}

#[async_trait]
impl Sql for SqliteConnection {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn execute(&mut self, query: Query) -> Result<u64, Error> {
        Ok(sqlite(query).execute(self).await?.rows_affected())
    }

    async fn rows(&mut self, query: Query) -> Result<Vec<Row>, Error> {
        Ok(sqlite(query).fetch_all(self).await?.into_iter().map(Row::Sqlite).collect())
    }
}

#[async_trait]
impl Sql for PgConnection {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn execute(&mut self, query: Query) -> Result<u64, Error> {
        Ok(postgres(query).execute(self).await?.rows_affected())
    }

    async fn rows(&mut self, query: Query) -> Result<Vec<Row>, Error> {
        Ok(postgres(query).fetch_all(self).await?.into_iter().map(Row::Postgres).collect())
    }
}

#[async_trait]
impl<D: sqlx::Database<Connection: Sql>> Sql for PoolConnection<D> {
    fn dialect(&self) -> Dialect {
        (**self).dialect()
    }

    async fn execute(&mut self, query: Query) -> Result<u64, Error> {
        (**self).execute(query).await
    }

    async fn rows(&mut self, query: Query) -> Result<Vec<Row>, Error> {
        (**self).rows(query).await
    }
}

fn sqlite(query: Query) -> Prepared<'static, Sqlite, SqliteArguments> {
    match query.input {
        Input::Arguments(arguments) => {
            arguments.into_iter().fold(sqlx::query(query.text), |prepared, argument| match argument {
                Argument::Text(text) => prepared.bind(text),
                Argument::Int(number) => prepared.bind(number),
                Argument::Bytes(bytes) => prepared.bind(bytes),
            })
        }
        Input::Given(given) => {
            let text = with_given(&query.text, Dialect::Sqlite, &given);
            let rows = given.rows.into_iter().map(|row| row.into_iter().map(as_json).collect()).collect();
            sqlx::query(text).bind(Value::Array(rows).to_string())
        }
    }
}

fn as_json(argument: Argument) -> Value {
    match argument {
        Argument::Text(text) => text.into(),
        Argument::Int(number) => number.into(),
        // No statement is given bytes in rows: JSON has none.
        Argument::Bytes(_) => Value::Null,
    }
}

fn postgres(query: Query) -> Prepared<'static, Postgres, PgArguments> {
    match query.input {
        Input::Arguments(arguments) => {
            arguments.into_iter().fold(sqlx::query(query.text), |prepared, argument| match argument {
                Argument::Text(text) => prepared.bind(text),
                Argument::Int(number) => prepared.bind(number),
                Argument::Bytes(bytes) => prepared.bind(bytes),
            })
        }
        Input::Given(given) => {
            let text = with_given(&query.text, Dialect::Postgres, &given);
            given.into_columns().into_iter().fold(sqlx::query(text), |prepared, column| match column {
                Column::Texts(texts) => prepared.bind(texts),
                Column::Ints(numbers) => prepared.bind(numbers),
            })
        }
    }
}

fn with_given(text: &SqlStr, dialect: Dialect, given: &Given) -> SqlStr {
    // A text of ours with names of ours.
    AssertSqlSafe(text.as_str().replace("{given}", &dialect.given(given))).into_sql_str()
}

enum Column {
    Texts(Vec<Option<String>>),
    Ints(Vec<Option<i64>>),
}

impl Given {
    fn into_columns(self) -> Vec<Column> {
        let height = self.rows.len();
        let empty = |argument: &Argument| match argument {
            Argument::Int(_) => Column::Ints(Vec::with_capacity(height)),
            Argument::Text(_) | Argument::Bytes(_) => Column::Texts(Vec::with_capacity(height)),
        };
        let mut columns: Vec<Column> = self.rows.first().into_iter().flatten().map(empty).collect();
        for row in self.rows {
            for (column, argument) in columns.iter_mut().zip(row) {
                match (column, argument) {
                    (Column::Texts(texts), Argument::Text(text)) => texts.push(text),
                    (Column::Ints(numbers), Argument::Int(number)) => numbers.push(number),
                    (Column::Texts(_) | Column::Ints(_), argument) => {
                        debug_assert!(false, "a column of one kind is given {argument:?}");
                    }
                }
            }
        }
        columns
    }
}
