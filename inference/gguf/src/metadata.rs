//! Typed reading of a file's keys.

use std::collections::BTreeMap;

use crate::error::Problem;
use crate::reader::Reader;
use crate::value::{Array, Value};

/// The shortest key: an empty name, a type, one byte.
const MIN_KEY_BYTES: usize = 8 + 4 + 1;

/// Keys of one file.
#[derive(Debug, Default)]
pub(crate) struct Metadata(pub(crate) BTreeMap<String, Value>);

impl Metadata {
    pub(crate) fn read(reader: &mut Reader<'_>, count: usize) -> Result<Self, Problem> {
        let mut values = BTreeMap::new();
        for _ in 0..count {
            let key = reader.string("a key's name")?;
            let value = Value::read(reader, key)?;
            if values.insert(key.to_owned(), value).is_some() {
                return Err(Problem::Damaged(format!("the key {key} is there twice")));
            }
        }
        Ok(Metadata(values))
    }

    /// How many keys there are, checked against what is left of the file.
    pub(crate) fn count_keys(reader: &mut Reader<'_>) -> Result<usize, Problem> {
        reader.count(MIN_KEY_BYTES, "the number of its keys")
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    fn need(&self, key: &str) -> Result<&Value, Problem> {
        self.get(key).ok_or_else(|| Problem::MissingKey(key.to_owned()))
    }

    /// A count: from 1 to `max`.
    pub(crate) fn count(&self, key: &str, max: usize) -> Result<usize, Problem> {
        let value = self.need(key)?;
        let number = value.integer().ok_or_else(|| bad(key, value.kind_name(), "an integer"))?;
        match usize::try_from(number) {
            Ok(number) if (1..=max).contains(&number) => Ok(number),
            _ => Err(bad(key, number, "a positive number of a size that models have")),
        }
    }

    /// As `count`, where the key may be missing or 0.
    pub(crate) fn optional_count(&self, key: &str, max: usize) -> Result<Option<usize>, Problem> {
        match self.get(key).map(Value::integer) {
            None | Some(Some(0)) => Ok(None),
            Some(_) => self.count(key, max).map(Some),
        }
    }

    /// A positive number.
    pub(crate) fn float(&self, key: &str) -> Result<f32, Problem> {
        let value = self.need(key)?;
        let float = match value {
            Value::F32(float) => *float,
            Value::F64(float) => *float as f32,
            other => match other.integer() {
                Some(number) => number as f32,
                None => return Err(bad(key, other.kind_name(), "a positive number")),
            },
        };
        if float.is_finite() && float > 0.0 { Ok(float) } else { Err(bad(key, float, "a positive number")) }
    }

    /// A factor that may be missing, and changes nothing where it is there.
    pub(crate) fn no_factor(&self, key: &str, expected: &'static str) -> Result<(), Problem> {
        match self.get(key) {
            None => Ok(()),
            Some(_) if self.float(key)? == 1.0 => Ok(()),
            Some(_) => Err(bad(key, self.float(key)?, expected)),
        }
    }

    pub(crate) fn text(&self, key: &str) -> Result<&str, Problem> {
        match self.need(key)? {
            Value::String(text) => Ok(text),
            other => Err(bad(key, other.kind_name(), "a string")),
        }
    }

    pub(crate) fn optional_text(&self, key: &str) -> Result<Option<&str>, Problem> {
        self.get(key).map(|_| self.text(key)).transpose()
    }

    pub(crate) fn flag(&self, key: &str, default: bool) -> Result<bool, Problem> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(bad(key, other.kind_name(), "true or false")),
        }
    }

    pub(crate) fn token_id(&self, key: &str) -> Result<u32, Problem> {
        let value = self.need(key)?;
        let id = value.integer().and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| bad(key, value.kind_name(), "a token id"))
    }

    pub(crate) fn list<T>(&self, key: &str, item: impl Fn(Value) -> Option<T>) -> Result<Vec<T>, Problem> {
        let array = self.array(key)?;
        let items: Vec<T> = array.iter().map_while(item).collect();
        if items.len() == array.len() {
            Ok(items)
        } else {
            Err(bad(key, "a list of another type", "the type that the format prescribes"))
        }
    }

    fn array(&self, key: &str) -> Result<&Array, Problem> {
        match self.need(key)? {
            Value::Array(array) => Ok(array),
            other => Err(bad(key, other.kind_name(), "a list")),
        }
    }
}

pub(crate) fn bad(key: &str, found: impl ToString, expected: &'static str) -> Problem {
    Problem::BadKey { key: key.to_owned(), found: found.to_string(), expected }
}
