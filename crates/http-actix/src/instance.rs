//! The `instance` of a problem.

use std::fmt::Write as _;

use crate::routes::VERSION_PREFIX;

/// The path as a problem tells it: without `/v1`, so that both mounts of a route read the same, and
/// a valid URI reference whatever the client sent.
pub(crate) fn of(path: &str) -> String {
    let path = match path.strip_prefix(VERSION_PREFIX) {
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    };
    let mut instance = String::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        let is_escape = *byte == b'%'
            && after.get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        // RFC 3986: unreserved, sub-delims, and what else a path may hold.
        if is_escape || byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(byte) {
            instance.push(char::from(*byte));
        } else {
            write!(instance, "%{byte:02X}").expect("invariant: a String takes any text");
        }
        rest = after;
    }
    instance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instance_is_the_path_without_its_version() {
        assert_eq!(of("/wallets/w-1"), "/wallets/w-1");
        assert_eq!(of("/v1/wallets/w-1"), "/wallets/w-1");
        assert_eq!(of("/v1"), "/v1");
        assert_eq!(of("/v10/wallets"), "/v10/wallets");
        assert_eq!(of("/wallets/a{b\"%20"), "/wallets/a%7Bb%22%20");
        assert_eq!(of("/wallets/100%"), "/wallets/100%25");
        assert_eq!(of("/wallets/%zz"), "/wallets/%25zz");
    }
}
