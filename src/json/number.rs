//! Numbers that stay what they were: integers of any length exact, floats bit for bit.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Json, JsonLimits, parse};

/// A JSON number. `1` and `1.0` are different numbers, `-0` is `0`, `-0.0` stays.
#[derive(Clone, PartialEq, Eq)]
pub struct Number(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    Int(i64),
    /// Canonical digits of an integer that `i64` cannot hold.
    Long(Arc<str>),
    /// The bits of a finite float, so that equality is identity.
    Float(u64),
}

impl Number {
    /// An integer.
    pub fn from_i64(int: i64) -> Self {
        Self(Form::Int(int))
    }

    /// A float; `None` for NaN and the infinities.
    pub fn from_f64(float: f64) -> Option<Self> {
        float.is_finite().then(|| Self(Form::Float(float.to_bits())))
    }

    /// From text that follows the grammar of JSON; `None` if a float is out of range.
    pub(super) fn from_scanned(text: &str, is_integer: bool) -> Option<Self> {
        if !is_integer {
            return Self::from_f64(text.parse().ok()?);
        }
        let small = text.parse().map(Self::from_i64);
        Some(small.unwrap_or_else(|_| Self(Form::Long(text.into()))))
    }

    /// The integer, if it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self.0 {
            Form::Int(int) => Some(int),
            Form::Long(_) | Form::Float(_) => None,
        }
    }

    /// The nearest float; `None` for an integer beyond the range of floats.
    pub fn as_f64(&self) -> Option<f64> {
        #[allow(clippy::cast_precision_loss, reason = "the nearest float is what was asked for")]
        match &self.0 {
            Form::Int(int) => Some(*int as f64),
            Form::Long(digits) => digits.parse().ok().filter(|f: &f64| f.is_finite()),
            Form::Float(bits) => Some(f64::from_bits(*bits)),
        }
    }

    /// Whether it was written without fraction and exponent.
    pub fn is_integer(&self) -> bool {
        !matches!(self.0, Form::Float(_))
    }

    /// The sum: exact for integers, rounded once where a float is involved. `None` when the result
    /// is not finite or a summand is an integer longer than 64 bits.
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        match (&self.0, &other.0) {
            (Form::Long(_), _) | (_, Form::Long(_)) => None,
            (Form::Int(a), Form::Int(b)) => Some(match a.checked_add(*b) {
                Some(sum) => Self::from_i64(sum),
                None => Self(Form::Long((i128::from(*a) + i128::from(*b)).to_string().into())),
            }),
            (Form::Int(_) | Form::Float(_), Form::Int(_) | Form::Float(_)) => {
                let (a, b) = (self.as_f64()?, other.as_f64()?);
                #[allow(clippy::float_arithmetic, reason = "IEEE 754: one addition, one answer")]
                Self::from_f64(a + b)
            }
        }
    }

    /// Appends the canonical text.
    pub fn write(&self, out: &mut Vec<u8>) {
        use std::io::Write as _;
        match &self.0 {
            Form::Int(int) => write_int(*int, out),
            Form::Long(digits) => out.extend_from_slice(digits.as_bytes()),
            Form::Float(_) => write!(out, "{self}").expect("a vector takes every byte"),
        }
    }

    /// Bytes of the canonical text.
    pub fn size(&self) -> usize {
        match &self.0 {
            Form::Int(int) => {
                let digits = int.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
                digits + usize::from(*int < 0)
            }
            Form::Long(digits) => digits.len(),
            Form::Float(_) => {
                let mut count = Count(0);
                fmt::Write::write_fmt(&mut count, format_args!("{self}"))
                    .expect("counting cannot fail");
                count.0
            }
        }
    }
}

/// Whether a scanned float already is its canonical text. Up to 15 digits survive the way through
/// 64 bits, and no other text of 15 digits reads as the same float: then only the outer form counts.
pub(super) fn is_canonical_float(text: &str) -> bool {
    let Some((whole, fraction)) = text.split_once('.') else {
        return false;
    };
    let whole = whole.strip_prefix('-').unwrap_or(whole).as_bytes();
    let fraction = fraction.as_bytes();
    let plain = fraction.iter().all(u8::is_ascii_digit);
    let shortest = fraction == b"0" || fraction.last() != Some(&b'0');
    // Below 0.0001 the canonical text has an exponent.
    let large_enough = whole != b"0" || fraction == b"0" || !fraction.starts_with(b"0000");
    plain && shortest && large_enough && whole.len() + fraction.len() <= 15
}

/// By hand: integers are the most frequent number and `fmt` is three times slower.
fn write_int(int: i64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = int.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(rest % 10).expect("a digit is below 10");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if int < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

struct Count(usize);

impl fmt::Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Int(int) => write!(f, "{int}"),
            Form::Long(digits) => f.write_str(digits),
            Form::Float(bits) => write!(f, "{:?}", f64::from_bits(*bits)),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<i64> for Number {
    fn from(int: i64) -> Self {
        Self::from_i64(int)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match parse(text.as_bytes(), &JsonLimits::default()).map_err(de::Error::custom)? {
            Json::Number(number) => Ok(number),
            _ => Err(de::Error::custom("expected the text of a number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn float(f: f64) -> Number {
        Number::from_f64(f).unwrap()
    }

    #[test]
    fn integers_add_exactly_and_leave_64_bits_in_digits() {
        let one = Number::from_i64(1);
        assert_eq!(one.checked_add(&Number::from_i64(-3)), Some(Number::from_i64(-2)));
        let long = Number::from_i64(i64::MAX).checked_add(&one).unwrap();
        assert_eq!(long.to_string(), "9223372036854775808");
        assert!(long.is_integer());
        assert_eq!(long.checked_add(&one), None);
    }

    #[test]
    fn a_float_makes_the_sum_a_float_and_infinity_is_refused() {
        assert_eq!(float(1.5).checked_add(&Number::from_i64(2)), Some(float(3.5)));
        assert_eq!(float(f64::MAX).checked_add(&float(f64::MAX)), None);
        assert_eq!(Number::from_f64(f64::NAN), None);
    }

    #[test]
    fn numbers_are_equal_only_when_their_texts_are() {
        assert_ne!(Number::from_i64(1), float(1.0));
        assert_ne!(float(0.0), float(-0.0));
        assert_eq!(float(-0.0).to_string(), "-0.0");
        assert_eq!(float(1e300).to_string(), "1e300");
    }

    proptest! {
        #[test]
        fn every_float_reads_back_bit_for_bit(bits: u64) {
            if let Some(number) = Number::from_f64(f64::from_bits(bits)) {
                let text = number.to_string();
                prop_assert_eq!(Number::from_scanned(&text, false), Some(number));
            }
        }

        #[test]
        fn a_float_called_canonical_is_canonical(text in "-?(0|[1-9][0-9]{0,14})\\.[0-9]{1,14}") {
            if is_canonical_float(&text) {
                prop_assert_eq!(Number::from_scanned(&text, false).unwrap().to_string(), text);
            }
        }

        #[test]
        fn a_number_survives_serde(number in prop_oneof![
            any::<i64>().prop_map(Number::from_i64),
            (-20_i64..20).prop_map(Number::from_i64),
            "[1-9][0-9]{19,40}".prop_map(|t| Number::from_scanned(&t, true).unwrap()),
            (-1e9..1e9).prop_map(float),
        ]) {
            let bytes = postcard::to_stdvec(&number).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Number>(&bytes).unwrap(), number.clone());
            prop_assert_eq!(number.size(), number.to_string().len());
            let mut written = Vec::new();
            number.write(&mut written);
            prop_assert_eq!(written, number.to_string().into_bytes());
        }
    }
}
