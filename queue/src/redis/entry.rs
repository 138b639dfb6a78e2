//! Entries of streams, as the server tells them.

use types::{TaskClass, TaskId};

use crate::queue::{Delivery, Receipt};

/// An entry's id and its fields and values in turn; the latter are empty when it was deleted meanwhile.
pub(crate) type Entry = (String, Vec<Vec<u8>>);

/// The text of a field; `None` when it is missing or no text.
pub(crate) fn field<'a>(fields: &'a [Vec<u8>], name: &str) -> Option<&'a str> {
    let (_, value) =
        fields.as_chunks().0.iter().map(|[name, value]| (name, value)).find(|(one, _)| *one == name.as_bytes())?;
    std::str::from_utf8(value).ok()
}

/// A delivered entry that is done with.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) class: TaskClass,
    pub(crate) entry: String,
    /// Empty when the entry named no task.
    pub(crate) id: String,
}

impl From<Delivery> for Ended {
    fn from(delivery: Delivery) -> Self {
        Ended { class: delivery.class(), entry: entry_of(delivery.receipt), id: delivery.task().to_string() }
    }
}

/// Reads a line's entry. An entry that names no task was added by hand, and is to be removed.
pub(crate) fn delivery(class: TaskClass, (entry, fields): Entry) -> Result<Delivery, Ended> {
    let task = field(&fields, "id").and_then(|id| id.parse::<TaskId>().ok());
    match (task, receipt_of(&entry)) {
        (Some(task), Some(receipt)) => Ok(Delivery::new(task, class, receipt)),
        _ => Err(Ended { class, entry, id: String::new() }),
    }
}

/// `milliseconds-number` as one number.
fn receipt_of(entry: &str) -> Option<Receipt> {
    let (milliseconds, number) = entry.split_once('-')?;
    Some(Receipt::from(milliseconds.parse::<u64>().ok()?) << 64 | Receipt::from(number.parse::<u64>().ok()?))
}

fn entry_of(receipt: Receipt) -> String {
    format!("{}-{}", receipt >> 64, receipt & Receipt::from(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, fields: &[&str]) -> Entry {
        (id.to_owned(), fields.iter().map(|text| text.as_bytes().to_vec()).collect())
    }

    #[test]
    fn an_entry_comes_back_as_it_was_delivered() {
        let task = TaskId::new();
        let taken = delivery(TaskClass::Batch, entry("1700000000000-7", &["id", &task.to_string()])).unwrap();
        assert_eq!((taken.task(), taken.class()), (task, TaskClass::Batch));
        assert_eq!(Ended::from(taken).entry, "1700000000000-7");
    }

    #[test]
    fn what_names_no_task_is_told_apart() {
        for fields in [&[][..], &["id"], &["id", "five"], &["task", "01980c9e-8f4b-7d1e-a1b0-3f6f2c9d4e55"]] {
            assert_eq!(delivery(TaskClass::Batch, entry("5-0", fields)).unwrap_err().entry, "5-0", "{fields:?}");
        }
    }
}
