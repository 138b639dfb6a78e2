//! Which instructions the kernels use.

use std::fmt;
use std::sync::OnceLock;

/// From the plainest to the fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Plain Rust: the reference.
    Scalar,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX2 with VPDPBUSD.
    AvxVnni,
    /// AVX-512 (F, BW, VL, DQ) with VPDPBUSD on 64 bytes.
    Avx512Vnni,
}

/// The environment variable that forces a level.
const VARIABLE: &str = "TALON_CPU_LEVEL";

/// `TALON_CPU_LEVEL` names no level of this processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLevel {
    asked: String,
}

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Level::available().map(Level::name).collect();
        let (asked, names) = (&self.asked, names.join(", "));
        write!(f, "{VARIABLE} is {asked:?}, which this processor does not have; use one of {names}, or leave it unset")
    }
}

impl std::error::Error for UnknownLevel {}

impl Level {
    const ALL: [Level; 4] = [Level::Scalar, Level::Avx2, Level::AvxVnni, Level::Avx512Vnni];

    /// The one that `TALON_CPU_LEVEL` names, else the fastest.
    pub fn detect() -> Result<Level, UnknownLevel> {
        match std::env::var_os(VARIABLE) {
            Some(name) => Level::named(&name.to_string_lossy()),
            None => Ok(Level::available().last().unwrap_or(Level::Scalar)),
        }
    }

    /// Those that this processor has, the fastest last.
    pub fn available() -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(|level| level.is_available())
    }

    /// Whether this processor has it.
    pub fn is_available(self) -> bool {
        static AVAILABLE: OnceLock<[bool; 4]> = OnceLock::new();
        AVAILABLE.get_or_init(ask_processor)[self as usize]
    }

    /// As `TALON_CPU_LEVEL` writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Scalar => "scalar",
            Level::Avx2 => "avx2",
            Level::AvxVnni => "avxvnni",
            Level::Avx512Vnni => "avx512vnni",
        }
    }

    fn named(name: &str) -> Result<Level, UnknownLevel> {
        Level::available().find(|level| level.name() == name).ok_or_else(|| UnknownLevel { asked: name.to_owned() })
    }
}

/// Which of [`Level::ALL`] the processor has.
#[cfg(target_arch = "x86_64")]
fn ask_processor() -> [bool; 4] {
    macro_rules! has {
        ($($feature:tt)*) => { $(is_x86_feature_detected!($feature))&&* };
    }
    let avx2 = has!("avx2" "fma" "f16c");
    let avx512 = avx2 && has!("avx512f" "avx512bw" "avx512vl" "avx512dq" "avx512vnni");
    [true, avx2, avx2 && has!("avxvnni"), avx512]
}

#[cfg(not(target_arch = "x86_64"))]
fn ask_processor() -> [bool; 4] {
    [true, false, false, false]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_by_name_and_others_refused_with_the_possible_ones() {
        for level in Level::available() {
            assert_eq!(Level::named(level.name()), Ok(level));
        }
        let error = Level::named("avx9").map_err(|error| error.to_string());
        assert!(error.is_err_and(|error| error.contains("\"avx9\"") && error.contains("use one of scalar")));
    }
}
