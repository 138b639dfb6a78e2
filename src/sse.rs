//! Finds the `data:` of server-sent events in a stream cut anywhere. Our server sends one line of data an event.

/// What has come of a line that has not ended.
#[derive(Default)]
pub(crate) struct SseData {
    rest: Vec<u8>,
}

impl SseData {
    /// The data that `chunk` completes.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Vec<String> {
        self.rest.extend_from_slice(chunk);
        let mut data = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            if let Some(rest) = line.strip_prefix(b"data:") {
                data.push(String::from_utf8_lossy(rest).trim().to_owned());
            }
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_wherever_the_stream_is_cut() {
        let stream = b"id: 1\nevent: step\ndata: {\"a\":1}\n\n: keep-alive\n\ndata: {\"b\":2}\n\n";
        for cut in 0..stream.len() {
            let mut lines = SseData::default();
            let mut data = lines.push(&stream[..cut]);
            data.extend(lines.push(&stream[cut..]));
            assert_eq!(data, ["{\"a\":1}", "{\"b\":2}"], "cut at {cut}");
        }
    }
}
