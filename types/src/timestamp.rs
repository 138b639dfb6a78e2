//! Moments on the wall clock, to the millisecond.

use std::time::Duration;

use jiff::Timestamp as Jiff;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// Milliseconds since the Unix epoch; RFC 3339 in JSON. Always a moment that its text can say: what is printed parses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The present moment.
    pub fn now() -> Self {
        Timestamp(Jiff::now().as_millisecond())
    }

    /// From the store's representation, held between the first and the last moment that a text can say.
    pub fn from_millis(millis: i64) -> Self {
        Timestamp(millis.clamp(Jiff::MIN.as_millisecond(), Jiff::MAX.as_millisecond()))
    }

    /// The store's representation.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// This moment plus `duration`, held at the last moment that a text can say (in the year 9999).
    pub fn after(self, duration: Duration) -> Self {
        Timestamp::from_millis(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This moment less `duration`, held at the first moment that a text can say.
    pub fn before(self, duration: Duration) -> Self {
        Timestamp::from_millis(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Time from `earlier` to this moment; zero when `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3}", Jiff::from_millisecond(self.0).unwrap_or(Jiff::MAX))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment: Jiff = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Timestamp(moment.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_rfc_3339_and_comes_back_the_same() {
        let moment = Timestamp::from_millis(1_700_000_000_123);
        let json = serde_json::to_string(&moment).unwrap();
        assert_eq!(json, "\"2023-11-14T22:13:20.123Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), moment);
    }

    #[test]
    fn a_moment_too_far_away_to_be_said_is_the_last_that_can_be() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        for far in [now.after(Duration::from_secs(99_999_999_999_999)), now.after(Duration::MAX)] {
            let text = far.to_string();
            assert!(text.starts_with("9999-12-3") && text.ends_with('Z'), "{text}");
            assert_eq!(serde_json::from_value::<Timestamp>(text.into()).unwrap(), far);
        }
        for millis in [i64::MIN, i64::MAX] {
            let end = Timestamp::from_millis(millis);
            assert_eq!(serde_json::from_value::<Timestamp>(end.to_string().into()).unwrap(), end);
        }
    }

    #[test]
    fn a_moment_too_long_ago_is_the_first_that_can_be_said() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        assert_eq!(now.before(Duration::from_secs(1)).after(Duration::from_secs(1)), now);
        assert_eq!(now.before(Duration::MAX), Timestamp::from_millis(i64::MIN));
    }

    #[test]
    fn the_past_is_no_time_ago() {
        assert_eq!(Timestamp::from_millis(5).since(Timestamp::from_millis(9)), Duration::ZERO);
    }
}
