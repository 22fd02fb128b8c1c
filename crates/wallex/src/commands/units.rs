//! Numbers and times for people.

/// A count with its thousands apart: `1,234,567`.
pub(super) fn count(n: impl Into<i128>) -> String {
    let n = n.into();
    let digits = n.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if n < 0 {
        text.push('-');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and what is counted: `1 event`, `2 events`.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A length of time, as exactly as it matters: `87 ms`, `3.4 s`, `5 min 7 s`, `2 h 40 min`.
pub(super) fn time(ms: u64) -> String {
    let s = ms / 1_000;
    match s {
        0 => format!("{ms} ms"),
        1..60 => format!("{s}.{} s", ms % 1_000 / 100),
        60..3_600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", count(s / 3_600), s % 3_600 / 60),
    }
}

/// A size: `512 B`, `4.0 KiB`, `1.2 GiB`.
pub(super) fn size(bytes: u64) -> String {
    let mut unit = 1_u64;
    for (name, next) in [("B", 1 << 10), ("KiB", 1 << 20), ("MiB", 1 << 30), ("GiB", 1 << 40)] {
        if bytes < next {
            return quantity(bytes, unit, name);
        }
        unit = next;
    }
    quantity(bytes, unit, "TiB")
}

fn quantity(bytes: u64, unit: u64, name: &str) -> String {
    if unit == 1 {
        return format!("{bytes} {name}");
    }
    let tenths = bytes % unit * 10 / unit;
    format!("{}.{tenths} {name}", count(bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let texts = [0, 999, 1_000, 1_234_567, -1_000, -999].map(|n: i64| count(n));
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567", "-1,000", "-999"]);
        assert_eq!(count(i128::from(u64::MAX)), "18,446,744,073,709,551,615");
    }

    #[test]
    fn times_are_as_exact_as_it_matters() {
        let texts = [0, 999, 1_000, 59_999, 60_000, 3_599_999, 9_600_000].map(time);
        assert_eq!(
            texts,
            ["0 ms", "999 ms", "1.0 s", "59.9 s", "1 min 0 s", "59 min 59 s", "2 h 40 min"]
        );
    }

    #[test]
    fn sizes_have_binary_units() {
        let texts = [0, 1_023, 1_024, 1_536, 1 << 20, 5 << 30, u64::MAX].map(size);
        assert_eq!(
            texts,
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "5.0 GiB", "16,777,215.9 TiB"]
        );
    }
}
