//! RFC 3339 with a fraction of any length, as Go's `RFC3339Nano` writes it.

/// Nanoseconds since 1970-01-01 UTC. `None` for what is no such time, or beyond what fits (the years
/// 1678 to 2261).
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    let head: &[u8; 19] = text.first_chunk()?;
    let separators = head[4] == b'-'
        && head[7] == b'-'
        && matches!(head[10], b'T' | b't')
        && head[13] == b':'
        && head[16] == b':';
    if !separators {
        return None;
    }
    let year = two(head, 0)? * 100 + two(head, 2)?;
    let (month, day) = (two(head, 5)?, two(head, 8)?);
    let (hour, minute, second) = (two(head, 11)?, two(head, 14)?, two(head, 17)?);
    // A leap second is the first of the next minute.
    if !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let (nanos, zone) = fraction(&text[19..])?;
    let offset = zone_offset(zone)?;
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// The number of two digits.
fn two(text: &[u8], at: usize) -> Option<i64> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// Nanoseconds, and what comes behind them. Digits beyond the ninth are passed over.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.' | b',', digits)) = text.split_first() else { return Some((0, text)) };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let kept = &digits[..length.min(9)];
    let number = kept.iter().fold(0, |nanos, digit| nanos * 10 + i64::from(digit - b'0'));
    let nanos = (kept.len()..9).fold(number, |nanos, _| nanos * 10);
    Some((nanos, &digits[length..]))
}

/// Seconds east of UTC.
fn zone_offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (two(zone, 1)?, two(zone, 4)?);
            let seconds = hours * 3_600 + minutes * 60;
            let valid = hours < 24 && minutes < 60;
            valid.then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. The year begins in March, so that
/// the leap day is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read_to_the_nanosecond() {
        for (text, nanos) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2016-10-06T00:17:09.669794202Z", 1_475_713_029_669_794_202),
            ("2016-10-06T00:17:09.6Z", 1_475_713_029_600_000_000),
            ("2016-10-06T02:17:09.669794202+02:00", 1_475_713_029_669_794_202),
            ("2016-10-05T16:47:09.6697942029-07:30", 1_475_713_029_669_794_202),
            ("1969-12-31T23:59:59.999999999Z", -1),
            ("2024-02-29T23:59:60Z", 1_709_251_200_000_000_000),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(nanos), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2016-10-06",
            "2016-10-06 00:17:09Z",
            "2016-13-06T00:17:09Z",
            "2016-10-06T24:17:09Z",
            "2016-10-06T00:17:09",
            "2016-10-06T00:17:09.Z",
            "2016-10-06T00:17:09.1",
            "2016-10-06T00:17:09+2:00",
            "9999-10-06T00:17:09Z",
            "20x6-10-06T00:17:09Z",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_mean_what_jiff_says(
            nanos in jiff::Timestamp::from_second(-9_000_000_000).unwrap().as_nanosecond() as i64..9_000_000_000_000_000_000,
            offset in -86_399_i32..86_400,
        ) {
            let time = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap();
            prop_assert_eq!(parse(time.to_string().as_bytes()), Some(nanos));
            // RFC 3339 has no seconds in offsets.
            let offset = jiff::tz::Offset::from_seconds(offset / 60 * 60).unwrap();
            let text = time.display_with_offset(offset).to_string();
            prop_assert_eq!(parse(text.as_bytes()), Some(nanos), "{}", text);
        }

        #[test]
        fn any_bytes_are_read_without_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            parse(&text);
        }
    }
}
