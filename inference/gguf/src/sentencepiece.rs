//! `tokenizer.model`: SentencePiece's protobuf, of which a handful of fields matters.

use crate::error::Problem;
use crate::metadata::bad;
use crate::vocab::{NORMAL, RawVocab};

/// `TrainerSpec.ModelType.BPE`; 1 is a unigram model, also where nothing is said.
const BPE: u64 = 2;

pub(crate) fn read(bytes: &[u8], bos: u32, eos: u32) -> Result<RawVocab, Problem> {
    let mut vocab = RawVocab { model: "llama".to_owned(), bos, eos, add_space_prefix: true, ..RawVocab::default() };
    let mut model_type = 1;
    let mut model = Message(bytes);
    while let Some((number, field)) = model.next()? {
        match (number, field) {
            (1, Field::Bytes(piece)) => push_piece(piece, &mut vocab)?,
            (2, Field::Bytes(trainer)) => model_type = number_of(trainer, 3)?.unwrap_or(model_type),
            (3, Field::Bytes(normalizer)) => vocab.add_space_prefix = number_of(normalizer, 3)? != Some(0),
            _ => {}
        }
    }
    if model_type != BPE {
        return Err(bad("model_type", model_type, "2, a BPE model"));
    }
    Ok(vocab)
}

fn push_piece(piece: &[u8], vocab: &mut RawVocab) -> Result<(), Problem> {
    let (mut text, mut score, mut kind) = ("", 0.0, NORMAL);
    let mut fields = Message(piece);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(bytes)) => text = str::from_utf8(bytes).map_err(|_| cut("a piece that is not UTF-8"))?,
            (2, Field::Fixed32(bytes)) => score = f32::from_le_bytes(bytes),
            (3, Field::Varint(number)) => kind = i32::try_from(number).unwrap_or(NORMAL),
            _ => {}
        }
    }
    vocab.tokens.push(text.to_owned());
    vocab.scores.push(score);
    vocab.token_types.push(kind);
    Ok(())
}

/// A field of a message that is a number.
fn number_of(message: &[u8], wanted: u64) -> Result<Option<u64>, Problem> {
    let mut fields = Message(message);
    let mut found = None;
    while let Some((number, field)) = fields.next()? {
        if let (true, Field::Varint(value)) = (number == wanted, field) {
            found = Some(value);
        }
    }
    Ok(found)
}

/// Fields that have not been read yet.
struct Message<'a>(&'a [u8]);

enum Field<'a> {
    Varint(u64),
    Fixed64,
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

impl<'a> Message<'a> {
    /// The next field and its number.
    fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, Problem> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => self.take(8).map(|_| Field::Fixed64)?,
            2 => {
                let length = self.varint()?;
                Field::Bytes(self.take(length)?)
            }
            5 => {
                let mut bytes = [0; 4];
                bytes.copy_from_slice(self.take(4)?);
                Field::Fixed32(bytes)
            }
            _ => return Err(cut("a field of a kind that is not in use")),
        };
        Ok(Some((tag >> 3, field)))
    }

    /// Seven bits a byte, the lowest first.
    fn varint(&mut self) -> Result<u64, Problem> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(cut("a number without an end"))
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], Problem> {
        let taken = usize::try_from(count).ok().and_then(|count| self.0.split_at_checked(count));
        let (taken, rest) = taken.ok_or_else(|| cut("a field that goes beyond the end"))?;
        self.0 = rest;
        Ok(taken)
    }
}

fn cut(what: &str) -> Problem {
    Problem::Damaged(format!("it has {what}"))
}
