//! Timestamps as text: RFC 3339, read leniently where it is harmless, written in one form.
//!
//! The text is taken apart by hand, because chrono's parser costs as much as the rest of an event.
//! The calendar is chrono's, and a property test holds the two parsers to the same answers.

use chrono::{Datelike, NaiveDate};

use crate::engine::Timestamp;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Text that names no instant we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// The text has another form.
    #[error("not of the form `2026-05-01T12:00:00.25Z` (fraction and offset may be absent)")]
    Form,
    /// A month 13, a 30 February, an hour 24.
    #[error("its {0} is out of range")]
    Range(&'static str),
    /// A second 60.
    #[error("it is a leap second, which is not supported; write the second before or after it")]
    LeapSecond,
    /// Not a year from 1 to 9999, in UTC.
    #[error("it is outside the years 1 to 9999 (UTC)")]
    Year,
}

/// Reads `YYYY-MM-DDTHH:MM:SS`, then a fraction and an offset if there are any. `T` may be a space,
/// no offset means UTC, what is finer than a microsecond is floored.
pub fn parse_timestamp(text: &str) -> Result<Timestamp, TimestampError> {
    let (head, tail) = text.as_bytes().split_first_chunk::<19>().ok_or(TimestampError::Form)?;
    let date = parse_date(head)?;
    let seconds = parse_time(head)?;
    let (micros, tail) = parse_fraction(tail)?;
    let offset = parse_offset(tail)?;
    let days = i64::from(date.to_epoch_days());
    let micros = (days * 86_400 + seconds - offset) * MICROS_PER_SECOND + micros;
    Timestamp::from_micros(micros).ok_or(TimestampError::Year)
}

fn parse_date(head: &[u8; 19]) -> Result<NaiveDate, TimestampError> {
    if head[4] != b'-' || head[7] != b'-' || !matches!(head[10], b'T' | b't' | b' ') {
        return Err(TimestampError::Form);
    }
    let (year, month, day) = (number(&head[..4])?, number(&head[5..7])?, number(&head[8..10])?);
    if year == 0 {
        return Err(TimestampError::Year);
    }
    if !(1..=12).contains(&month) {
        return Err(TimestampError::Range("month"));
    }
    let year = i32::try_from(year).expect("four digits fit");
    NaiveDate::from_ymd_opt(year, month, day).ok_or(TimestampError::Range("day"))
}

/// Seconds since midnight.
fn parse_time(head: &[u8; 19]) -> Result<i64, TimestampError> {
    if head[13] != b':' || head[16] != b':' {
        return Err(TimestampError::Form);
    }
    let hour = number(&head[11..13])?;
    let minute = number(&head[14..16])?;
    let second = number(&head[17..19])?;
    match (hour, minute, second) {
        (24.., _, _) => Err(TimestampError::Range("hour")),
        (_, 60.., _) => Err(TimestampError::Range("minute")),
        (_, _, 60) => Err(TimestampError::LeapSecond),
        (_, _, 61..) => Err(TimestampError::Range("second")),
        _ => Ok(i64::from(hour * 3_600 + minute * 60 + second)),
    }
}

/// Microseconds, and what follows the fraction.
fn parse_fraction(tail: &[u8]) -> Result<(i64, &[u8]), TimestampError> {
    let Some(tail) = tail.strip_prefix(b".") else {
        return Ok((0, tail));
    };
    let digits = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return Err(TimestampError::Form);
    }
    let kept = digits.min(6);
    let missing = u32::try_from(6 - kept).expect("at most six");
    Ok((i64::from(number(&tail[..kept])? * 10_u32.pow(missing)), &tail[digits..]))
}

/// Seconds east of UTC: nothing, `Z`, `±HH:MM` or `±HHMM`.
fn parse_offset(tail: &[u8]) -> Result<i64, TimestampError> {
    let (sign, hour, minute) = match tail {
        [] | [b'Z' | b'z'] => return Ok(0),
        [sign @ (b'+' | b'-'), a, b, b':', c, d] | [sign @ (b'+' | b'-'), a, b, c, d] => {
            (*sign, number(&[*a, *b])?, number(&[*c, *d])?)
        }
        _ => return Err(TimestampError::Form),
    };
    if hour > 23 || minute > 59 {
        return Err(TimestampError::Range("offset"));
    }
    let seconds = i64::from(hour * 3_600 + minute * 60);
    Ok(if sign == b'-' { -seconds } else { seconds })
}

/// Up to six digits as a number.
fn number(digits: &[u8]) -> Result<u32, TimestampError> {
    digits.iter().try_fold(0, |number, byte| match byte {
        b'0'..=b'9' => Ok(number * 10 + u32::from(byte - b'0')),
        _ => Err(TimestampError::Form),
    })
}

/// Appends the instant in UTC, with microseconds only when there are any.
pub fn write_timestamp(ts: Timestamp, out: &mut Vec<u8>) {
    let seconds = ts.micros().div_euclid(MICROS_PER_SECOND);
    let (days, second) = (seconds.div_euclid(86_400), small(seconds.rem_euclid(86_400)));
    let days = i32::try_from(days).expect("years 1 to 9999 have few days");
    let date = NaiveDate::from_epoch_days(days).expect("years 1 to 9999 are chrono's");
    let year = u32::try_from(date.year()).expect("years start at 1");
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    write_pairs([year / 100, year % 100], &mut text[..4]);
    write_pairs([date.month()], &mut text[5..7]);
    write_pairs([date.day()], &mut text[8..10]);
    write_pairs([second / 3_600], &mut text[11..13]);
    write_pairs([second / 60 % 60], &mut text[14..16]);
    write_pairs([second % 60], &mut text[17..19]);
    let micros = small(ts.micros().rem_euclid(MICROS_PER_SECOND));
    if micros > 0 {
        write_pairs([micros / 10_000, micros / 100 % 100, micros % 100], &mut text[20..26]);
        out.extend_from_slice(&text);
    } else {
        out.extend_from_slice(&text[..19]);
        out.push(b'Z');
    }
}

fn small(number: i64) -> u32 {
    u32::try_from(number).expect("less than a day or a second")
}

/// Fills a field with numbers of two digits.
fn write_pairs<const N: usize>(numbers: [u32; N], field: &mut [u8]) {
    const PAIRS: [[u8; 2]; 100] = {
        let (mut pairs, mut tens) = ([*b"00"; 100], 0);
        while tens < 10 {
            let mut ones = 0;
            while ones < 10 {
                pairs[tens * 10 + ones] = [b"0123456789"[tens], b"0123456789"[ones]];
                ones += 1;
            }
            tens += 1;
        }
        pairs
    };
    for (pair, number) in field.chunks_exact_mut(2).zip(numbers) {
        pair.copy_from_slice(&PAIRS[number as usize]);
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    fn micros(text: &str) -> Result<i64, TimestampError> {
        parse_timestamp(text).map(Timestamp::micros)
    }

    #[test]
    fn harmless_forms_are_read_and_fine_fractions_floored() {
        assert_eq!(micros("1970-01-01T00:00:01Z"), Ok(1_000_000));
        assert_eq!(micros("1970-01-01 00:00:01"), Ok(1_000_000));
        assert_eq!(micros("1970-01-01T02:00:01.5+02:00"), Ok(1_500_000));
        assert_eq!(micros("1969-12-31T22:30:01-0130"), Ok(1_000_000));
        assert_eq!(micros("1970-01-01T00:00:00.0000019Z"), Ok(1));
        assert_eq!(micros("1969-12-31T23:59:59.9999999Z"), Ok(-1));
        assert_eq!(micros("2024-02-29T00:00:00Z"), Ok(1_709_164_800_000_000));
    }

    #[test]
    fn what_names_no_instant_is_refused_with_its_reason() {
        use TimestampError::{Form, LeapSecond, Range, Year};
        for (text, error) in [
            ("", Form),
            ("2026-05-01", Form),
            ("2026-05-01T12:00:00.Z", Form),
            ("2026-05-01T12:00:00+2", Form),
            ("2026-05-01T12:00:00ZZ", Form),
            ("2026-05-01T12:0é:00Z", Form),
            ("2026-13-01T12:00:00Z", Range("month")),
            ("2026-02-29T12:00:00Z", Range("day")),
            ("2026-05-01T24:00:00Z", Range("hour")),
            ("2026-05-01T12:60:00Z", Range("minute")),
            ("2026-05-01T12:00:61Z", Range("second")),
            ("2026-05-01T12:00:00+24:00", Range("offset")),
            ("2016-12-31T23:59:60Z", LeapSecond),
            ("0000-01-01T00:00:00Z", Year),
            ("0001-01-01T00:00:00+00:01", Year),
            ("9999-12-31T23:59:59-00:01", Year),
        ] {
            assert_eq!(micros(text), Err(error), "{text}");
        }
    }

    #[test]
    fn the_first_and_the_last_instant_are_written_and_read() {
        for (ts, text) in [
            (Timestamp::MIN, "0001-01-01T00:00:00Z"),
            (Timestamp::MAX, "9999-12-31T23:59:59.999999Z"),
        ] {
            let mut out = Vec::new();
            write_timestamp(ts, &mut out);
            assert_eq!(out, text.as_bytes());
            assert_eq!(parse_timestamp(text), Ok(ts));
        }
    }

    proptest! {
        #[test]
        fn chrono_reads_the_same_instant(
            text in "[0-9]{3}[1-9]-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-5][0-9]\
                     (\\.[0-9]{1,9})?(Z|[+-][01][0-9]:[0-5][0-9])",
        ) {
            let theirs = DateTime::parse_from_rfc3339(&text).ok();
            let theirs = theirs.and_then(|time| Timestamp::from_micros(time.timestamp_micros()));
            prop_assert_eq!(parse_timestamp(&text).ok(), theirs);
        }

        #[test]
        fn an_instant_reads_back(
            micros in Timestamp::MIN.micros()..=Timestamp::MAX.micros(), whole: bool,
        ) {
            let micros = if whole { micros - micros.rem_euclid(MICROS_PER_SECOND) } else { micros };
            let ts = Timestamp::from_micros(micros).unwrap();
            let mut out = Vec::new();
            write_timestamp(ts, &mut out);
            let text = String::from_utf8(out).unwrap();
            prop_assert_eq!(parse_timestamp(&text), Ok(ts));
            prop_assert_eq!(text.contains('.'), micros % MICROS_PER_SECOND != 0);
        }

        #[test]
        fn any_text_never_panics(text in "\\PC{0,40}") {
            prop_assert!(parse_timestamp(&text).is_err());
        }
    }
}
