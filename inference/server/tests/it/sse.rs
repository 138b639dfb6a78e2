//! Server-sent events as a client reads them: byte by byte if need be.

use serde_json::Value;

/// What came so far of a stream, and what of it is whole.
#[derive(Default)]
pub(crate) struct Reader {
    held: Vec<u8>,
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Comment,
    Data { name: Option<String>, data: String },
}

impl Reader {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        while let Some(end) = self.held.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = self.held.drain(..end + 2).collect();
            // An event is whole text, wherever the network cuts it.
            self.events.push(read(std::str::from_utf8(&event[..end]).unwrap()));
        }
    }

    /// Whether nothing is left of an unfinished event.
    pub(crate) fn is_whole(&self) -> bool {
        self.held.is_empty()
    }
}

fn read(event: &str) -> Event {
    let (mut name, mut data) = (None, None);
    for line in event.lines() {
        match line.split_once(':').unwrap() {
            ("", _) => return Event::Comment,
            ("event", rest) => name = Some(rest.trim_start().to_owned()),
            ("data", rest) => assert_eq!(data.replace(rest.trim_start().to_owned()), None, "{event}"),
            other => panic!("{other:?}"),
        }
    }
    Event::Data { name, data: data.unwrap() }
}

/// The events of a whole stream.
pub(crate) fn events(text: &str) -> Vec<Event> {
    let mut reader = Reader::default();
    reader.push(text.as_bytes());
    assert!(reader.is_whole(), "{text}");
    reader.events
}

/// The chunks of a stream that ended well, without its `[DONE]`.
pub(crate) fn chunks(text: &str) -> Vec<Value> {
    let mut events: Vec<String> = events(text)
        .into_iter()
        .map(|event| match event {
            Event::Data { name: None, data } => data,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(events.pop().as_deref(), Some("[DONE]"), "{text}");
    events.iter().map(|data| serde_json::from_str(data).unwrap()).collect()
}
