//! What a number is worth.

/// A number's value, exact, so that values can be compared and looked up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Value {
    /// In billionths.
    Exact(u128),
    /// The digits of one that is too long for that: an account number, a hash.
    Long(Box<str>),
}

const ONE: u128 = 1_000_000_000;
/// With nine more for the billionths and a few for a scale, they fit into 38.
const MOST_DIGITS: usize = 24;

impl Value {
    /// The value of ASCII digits before and behind a decimal point.
    pub(super) fn of_digits(whole: &str, fraction: &str) -> Self {
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        if whole.len() > MOST_DIGITS || fraction.len() > 9 {
            return Self::Long(format!("{whole}.{fraction}").into());
        }
        let digits =
            whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', 9 - fraction.len()));
        Self::Exact(digits.fold(0, |value, digit| value * 10 + u128::from(digit - b'0')))
    }

    pub(super) fn whole(value: u32) -> Self {
        Self::Exact(u128::from(value) * ONE)
    }

    pub(super) fn half() -> Self {
        Self::Exact(ONE / 2)
    }

    pub(super) fn is_zero(&self) -> bool {
        *self == Self::Exact(0)
    }

    /// The value if it is a whole number below 10,000: an hour, a year.
    pub(super) fn small(&self) -> Option<u32> {
        match self {
            Self::Exact(value) if value % ONE == 0 && value / ONE < 10_000 => u32::try_from(value / ONE).ok(),
            _ => None,
        }
    }

    pub(super) fn times(&self, factor: u128) -> Self {
        match self {
            Self::Exact(value) => Self::Exact(value.saturating_mul(factor)),
            Self::Long(_) => self.clone(),
        }
    }

    pub(super) fn times_ten_to(&self, exponent: u32) -> Self {
        self.times(10_u128.saturating_pow(exponent))
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Exact(one), Self::Exact(other)) => Self::Exact(one.saturating_add(*other)),
            _ => self.clone(),
        }
    }

    /// Whether it can be added to a number whose last scale word was a power of ten: 200 to two thousand.
    pub(super) fn is_below_ten_to(&self, exponent: u32) -> bool {
        matches!(self, Self::Exact(value) if *value < ONE.saturating_mul(10_u128.saturating_pow(exponent)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_exact() {
        assert_eq!(Value::of_digits("0012", "500"), Value::of_digits("12", "5"));
        assert_eq!(Value::of_digits("1", "5").times_ten_to(9), Value::of_digits("1500", "").times_ten_to(6));
        assert_eq!(Value::of_digits("", "5"), Value::half());
        assert_eq!(Value::whole(2).plus(&Value::half()), Value::of_digits("2", "5"));
        assert_eq!(Value::of_digits("1404", "").small(), Some(1404));
        assert_eq!(Value::of_digits("0", "25").small(), None);
    }

    #[test]
    fn long_numbers_keep_their_digits() {
        let digits = "1234567890".repeat(4);
        assert_eq!(Value::of_digits(&digits, ""), Value::of_digits(&format!("0{digits}"), ""));
        assert_ne!(Value::of_digits(&digits, ""), Value::of_digits(&format!("{digits}0"), ""));
        assert_eq!(Value::of_digits(&digits, "").times_ten_to(9), Value::of_digits(&digits, ""));
        assert!(!Value::of_digits("999999999999999999999999", "").times_ten_to(3).is_zero());
    }
}
