//! When a certificate expires: the one field of X.509 (RFC 5280, section 4.1) that rustls does not
//! tell a server of its own certificate.

use time::{Date, Month, PrimitiveDateTime, Time};

/// Unix seconds after which the certificate is not valid; `None` when it can't be found.
pub(super) fn expires_at_unix_s(der: &[u8]) -> Option<i64> {
    let (certificate, _) = content(der, SEQUENCE)?;
    let (mut fields, _) = content(certificate, SEQUENCE)?;
    // version, which may be left out; serialNumber, signature, issuer; then validity.
    if fields.first() == Some(&VERSION) {
        (_, fields) = any(fields)?;
    }
    for _ in 0..3 {
        (_, fields) = any(fields)?;
    }
    let (validity, _) = content(fields, SEQUENCE)?;
    let (_, not_after) = any(validity)?;
    time(not_after)
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The content of the first element of `der`, which must have this tag, and what is behind it.
fn content(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    (der.first() == Some(&tag)).then_some(())?;
    any(der)
}

/// The content of the first element of `der`, and what is behind it.
fn any(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = der.get(1..)?.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        // How many bytes of length follow.
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, the forms that RFC 5280 allows.
fn time(der: &[u8]) -> Option<i64> {
    let (text, _) = any(der)?;
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match *der.first()? {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: i32 = year.parse().ok()?;
            (if year < 50 { 2_000 + year } else { 1_900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(part(0)?).ok()?, part(2)?).ok()?;
    let time = Time::from_hms(part(4)?, part(6)?, part(8)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let mut parameters =
            rcgen::CertificateParams::new(["localhost".to_owned()]).expect("names");
        parameters.not_after = rcgen::date_time_ymd(year, 3, 4);
        let key = rcgen::KeyPair::generate().expect("a key");
        parameters.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        assert_eq!(expires_at_unix_s(&certificate(2031)), Some(1_930_348_800));
        assert_eq!(expires_at_unix_s(&certificate(2051)), Some(2_561_500_800));
    }

    #[test]
    fn what_is_cut_off_has_no_expiry() {
        let whole = certificate(2031);
        for end in 0..100 {
            assert_eq!(expires_at_unix_s(&whole[..end]), None);
        }
        assert_eq!(expires_at_unix_s(b"\x30\x84\xff\xff\xff\xff"), None);
        assert_eq!(expires_at_unix_s(b"\x30\x80"), None);
    }
}
