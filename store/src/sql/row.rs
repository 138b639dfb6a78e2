//! Rows as values of ours. What a row holds was written by us, so a text that does not parse is a damaged database.

use std::str::FromStr;

use sqlx::postgres::{PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Error, Row as _, Type};
use types::Timestamp;

/// A row of either database. Its columns hold text, whole numbers of 64 bits or bytes.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// A column's value.
    pub(crate) fn get<T: Cell>(&self, column: &str) -> Result<T, Error> {
        T::read(self, column)
    }

    /// A word or id.
    pub(crate) fn parse<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
        &self,
        column: &str,
    ) -> Result<T, Error> {
        self.get::<String>(column)?.parse().map_err(|error| Error::Decode(Box::new(error)))
    }

    /// A word or id, or nothing.
    pub(crate) fn parse_some<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
        &self,
        column: &str,
    ) -> Result<Option<T>, Error> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| text.parse().map_err(|error| Error::Decode(Box::new(error)))).transpose()
    }

    /// JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, Error> {
        json(&self.get::<String>(column)?)
    }

    fn raw<'r, T>(&'r self, column: &str) -> Result<T, Error>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>,
    {
        match self {
            Row::Sqlite(row) => row.try_get(column),
            Row::Postgres(row) => row.try_get(column),
        }
    }
}

/// JSON from a row.
pub(crate) fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Decode(Box::new(error)))
}

/// What a column can be read as.
pub(crate) trait Cell: Sized {
    fn read(row: &Row, column: &str) -> Result<Self, Error>;
}

macro_rules! cells {
    ($($stored:ty as $cell:ty = $convert:expr,)*) => { $(
        impl Cell for $cell {
            fn read(row: &Row, column: &str) -> Result<Self, Error> {
                Ok($convert(row.raw::<$stored>(column)?))
            }
        }

        impl Cell for Option<$cell> {
            fn read(row: &Row, column: &str) -> Result<Self, Error> {
                Ok(row.raw::<Option<$stored>>(column)?.map($convert))
            }
        }
    )* };
}

cells! {
    String as String = std::convert::identity,
    Vec<u8> as Vec<u8> = std::convert::identity,
    i64 as i64 = std::convert::identity,
    i64 as bool = |flag: i64| flag != 0,
    i64 as u32 = |number: i64| u32::try_from(number).unwrap_or(u32::MAX),
    i64 as u64 = i64::unsigned_abs,
    i64 as Timestamp = Timestamp::from_millis,
}
