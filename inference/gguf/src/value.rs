//! The typed values of GGUF keys, read and written.

use crate::error::Problem;
use crate::reader::Reader;

/// A key's value.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // The variants are the types that the format has.
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Array(Array),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// Values of one type, as they lie in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    kind: u32,
    len: usize,
    bytes: Vec<u8>,
}

const STRING: u32 = 8;
const ARRAY: u32 = 9;

impl Value {
    pub(crate) fn read(reader: &mut Reader<'_>, key: &str) -> Result<Self, Problem> {
        let kind = reader.u32(key)?;
        if kind != ARRAY {
            return Value::read_one(reader, kind, key);
        }
        let kind = reader.u32(key)?;
        let min_bytes = min_bytes(kind).ok_or_else(|| unknown(key, kind))?;
        let len = reader.count(min_bytes, key)?;
        let start = reader.position();
        if kind == STRING {
            for _ in 0..len {
                reader.string(key)?;
            }
        } else {
            reader.take((len * min_bytes) as u64, key)?;
        }
        Ok(Value::Array(Array { kind, len, bytes: reader.since(start).to_owned() }))
    }

    fn read_one(reader: &mut Reader<'_>, kind: u32, key: &str) -> Result<Self, Problem> {
        Ok(match kind {
            0 => Value::U8(u8::from_le_bytes(reader.array(key)?)),
            1 => Value::I8(i8::from_le_bytes(reader.array(key)?)),
            2 => Value::U16(u16::from_le_bytes(reader.array(key)?)),
            3 => Value::I16(i16::from_le_bytes(reader.array(key)?)),
            4 => Value::U32(reader.u32(key)?),
            5 => Value::I32(i32::from_le_bytes(reader.array(key)?)),
            6 => Value::F32(f32::from_le_bytes(reader.array(key)?)),
            7 => match reader.array(key)? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [other] => return Err(Problem::Damaged(format!("{key} is a truth value of {other}"))),
            },
            STRING => Value::String(reader.string(key)?.to_owned()),
            10 => Value::U64(reader.u64(key)?),
            11 => Value::I64(i64::from_le_bytes(reader.array(key)?)),
            12 => Value::F64(f64::from_le_bytes(reader.array(key)?)),
            _ => return Err(unknown(key, kind)),
        })
    }

    /// Any integer, of whatever width.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::U8(number) => Some((*number).into()),
            Value::I8(number) => Some((*number).into()),
            Value::U16(number) => Some((*number).into()),
            Value::I16(number) => Some((*number).into()),
            Value::U32(number) => Some((*number).into()),
            Value::I32(number) => Some((*number).into()),
            Value::U64(number) => i64::try_from(*number).ok(),
            Value::I64(number) => Some(*number),
            Value::F32(_) | Value::F64(_) | Value::Bool(_) | Value::String(_) | Value::Array(_) => None,
        }
    }

    /// What it is, for messages.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Value::F32(_) | Value::F64(_) => "a number with a fraction",
            Value::Bool(_) => "a truth value",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            _ => "an integer",
        }
    }

    fn kind(&self) -> u32 {
        match self {
            Value::U8(_) => 0,
            Value::I8(_) => 1,
            Value::U16(_) => 2,
            Value::I16(_) => 3,
            Value::U32(_) => 4,
            Value::I32(_) => 5,
            Value::F32(_) => 6,
            Value::Bool(_) => 7,
            Value::String(_) => STRING,
            Value::Array(_) => ARRAY,
            Value::U64(_) => 10,
            Value::I64(_) => 11,
            Value::F64(_) => 12,
        }
    }

    /// Type and value.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.kind().to_le_bytes());
        self.write_one(out);
    }

    fn write_one(&self, out: &mut Vec<u8>) {
        match self {
            Value::U8(number) => out.extend(number.to_le_bytes()),
            Value::I8(number) => out.extend(number.to_le_bytes()),
            Value::U16(number) => out.extend(number.to_le_bytes()),
            Value::I16(number) => out.extend(number.to_le_bytes()),
            Value::U32(number) => out.extend(number.to_le_bytes()),
            Value::I32(number) => out.extend(number.to_le_bytes()),
            Value::F32(number) => out.extend(number.to_le_bytes()),
            Value::Bool(flag) => out.push(u8::from(*flag)),
            Value::String(text) => write_string(text, out),
            Value::Array(array) => {
                out.extend(array.kind.to_le_bytes());
                out.extend((array.len as u64).to_le_bytes());
                out.extend_from_slice(&array.bytes);
            }
            Value::U64(number) => out.extend(number.to_le_bytes()),
            Value::I64(number) => out.extend(number.to_le_bytes()),
            Value::F64(number) => out.extend(number.to_le_bytes()),
        }
    }
}

impl Array {
    /// How many values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The values, all of one type.
    pub fn iter(&self) -> impl Iterator<Item = Value> {
        let mut reader = Reader::new(&self.bytes);
        (0..self.len).map_while(move |_| Value::read_one(&mut reader, self.kind, "array").ok())
    }
}

/// # Panics
/// Where the values differ in type, or are arrays themselves.
impl FromIterator<Value> for Array {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        let mut array = Array { kind: 4, len: 0, bytes: Vec::new() };
        for value in values {
            assert!(
                value.kind() != ARRAY && (array.len == 0 || value.kind() == array.kind),
                "values of one plain type"
            );
            array.kind = value.kind();
            array.len += 1;
            value.write_one(&mut array.bytes);
        }
        array
    }
}

pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// The least that one value of an array takes; `None` for types that arrays do not have here, arrays among them.
fn min_bytes(kind: u32) -> Option<usize> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        STRING | 10..=12 => Some(8),
        _ => None,
    }
}

fn unknown(key: &str, kind: u32) -> Problem {
    match kind {
        ARRAY => Problem::Damaged(format!("{key} is a list of lists, which no model needs")),
        _ => Problem::Damaged(format!("{key} has type {kind}, which GGUF does not know")),
    }
}
