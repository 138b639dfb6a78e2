//! Exact decimal numbers, as long as tables need.

use std::cmp::Ordering;
use std::fmt;

/// `units / 10^decimals`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    units: i128,
    decimals: u32,
}

/// Numbers have at most so many digits, so that sums and comparisons of a table's worth of them fit.
const MAX_DIGITS: usize = 18;

impl Decimal {
    pub(super) const ZERO: Decimal = Decimal { units: 0, decimals: 0 };

    /// Optional `-`, digits, optionally `.` and digits; nothing else is a number.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (digits, ""),
        };
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || MAX_DIGITS < whole.len() + fraction.len()
        {
            return None;
        }
        let units: i128 = format!("{whole}{fraction}").parse().ok()?;
        let decimals = u32::try_from(fraction.len()).ok()?;
        Some(Decimal { units: if negative { -units } else { units }, decimals })
    }

    /// The sum, with the decimals of the one that has more.
    pub(super) fn plus(self, other: &Decimal) -> Option<Self> {
        let decimals = self.decimals.max(other.decimals);
        Some(Decimal { units: self.units_at(decimals)?.checked_add(other.units_at(decimals)?)?, decimals })
    }

    /// This total's mean over `rows`, rounded half away from zero to two decimals. `None` for no rows.
    pub(super) fn mean(self, rows: usize) -> Option<Self> {
        const DECIMALS: u32 = 2;
        let divisor = i128::try_from(rows).ok()?.checked_mul(10_i128.checked_pow(self.decimals)?)?;
        let scaled = self.units.checked_mul(10_i128.pow(DECIMALS))?;
        let (quotient, rest) = (scaled.checked_div(divisor)?, scaled.checked_rem(divisor)?);
        let away = if rest.checked_abs()?.checked_mul(2)? < divisor { 0 } else { rest.signum() };
        Some(Decimal { units: quotient + away, decimals: DECIMALS })
    }

    /// Without trailing zeros after the point.
    pub(super) fn trimmed(self) -> String {
        let text = self.to_string();
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    }

    fn units_at(self, decimals: u32) -> Option<i128> {
        self.units.checked_mul(10_i128.checked_pow(decimals - self.decimals)?)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let decimals = self.decimals.max(other.decimals);
        // `parse` keeps both within 36 digits here, and i128 holds 38.
        self.units_at(decimals).cmp(&other.units_at(decimals))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let decimals = self.decimals as usize;
        let digits = format!("{:0>width$}", self.units.unsigned_abs(), width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let point = if decimals == 0 { "" } else { "." };
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_are_numbers() {
        for number in ["0", "-1", "12.50", "007", "-0.5"] {
            assert!(Decimal::parse(number).is_some(), "{number}");
        }
        for other in ["", "-", ".5", "5.", "1,290", "5%", "5 kg", "+5", "1e3", "--1", "1.2.3", "٣", "NaN"] {
            assert!(Decimal::parse(other).is_none(), "{other}");
        }
    }

    #[track_caller]
    fn check(numbers: &[&str], total: &str, mean: &str) {
        let numbers: Vec<Decimal> = numbers.iter().map(|text| Decimal::parse(text).unwrap()).collect();
        let sum = numbers.iter().try_fold(Decimal::ZERO, |sum, number| sum.plus(number)).unwrap();
        assert_eq!((sum.to_string().as_str(), sum.mean(numbers.len()).unwrap().trimmed().as_str()), (total, mean));
    }

    #[test]
    fn sums_are_exact_where_floating_point_is_not() {
        check(&["0.1", "0.2"], "0.3", "0.15");
        check(&["123456789012345.67", "0.01"], "123456789012345.68", "61728394506172.84");
        check(&["1.10", "2"], "3.10", "1.55");
    }

    #[test]
    fn means_round_half_away_from_zero() {
        check(&["0.01", "0"], "0.01", "0.01");
        check(&["-0.01", "0"], "-0.01", "-0.01");
        check(&["-0.001", "0"], "-0.001", "0");
        check(&["10", "6", "3"], "19", "6.33");
        check(&["5", "20"], "25", "12.5");
        check(&["100", "300"], "400", "200");
        check(&["-5", "5"], "0", "0");
    }

    #[test]
    fn numbers_of_different_spelling_compare_by_value() {
        assert_eq!(Decimal::parse("1.50"), Decimal::parse("1.5"));
        assert!(Decimal::parse("-2") < Decimal::parse("-1.99"));
        assert!(Decimal::parse("9") < Decimal::parse("10"));
        assert!(Decimal::parse("0.000000000000000001") < Decimal::parse("999999999999999999"));
    }
}
