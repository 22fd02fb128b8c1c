//! What is said when the server stands: where it listens, on which database, and what to try.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// For people who look at a terminal.
pub(crate) fn banner(url: &str, is_open: bool, database: &str) -> String {
    format!(
        "Wallex {version}\n  listens on  {url}\n  database    {database}\n  try it at   {url}/docs\n\n\
         Or create a wallet:\n\n  {example}\n\n",
        version = env!("CARGO_PKG_VERSION"),
        example = example(url, is_open),
    )
}

/// A command line that creates a wallet; with a place for a key where one is needed.
pub(crate) fn example(url: &str, is_open: bool) -> String {
    let key = if is_open { "" } else { "-H \"Authorization: Bearer $WALLEX_KEY\" " };
    format!(
        "curl -i {url}/wallets {key}-H 'Content-Type: application/json' \
         -d '{{\"walletId\":\"wallet-001\",\"ownerId\":\"user-001\",\"initialBalance\":100}}'"
    )
}

/// How this machine reaches the server: an unspecified address can be listened on, not called.
pub(crate) fn url(listen: SocketAddr, secure: bool) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let scheme = if secure { "https" } else { "http" };
    format!("{scheme}://{}", SocketAddr::new(ip, listen.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(address: &str) -> SocketAddr {
        address.parse().expect("an address")
    }

    #[test]
    fn urls_can_be_called() {
        assert_eq!(url(listening("127.0.0.1:8080"), false), "http://127.0.0.1:8080");
        assert_eq!(url(listening("0.0.0.0:80"), false), "http://127.0.0.1:80");
        assert_eq!(url(listening("[::]:80"), true), "https://[::1]:80");
    }

    #[test]
    fn banner_says_where_on_what_and_what_to_try() {
        let url = "http://127.0.0.1:8080";
        assert!(banner(url, false, "").contains("Authorization: Bearer $WALLEX_KEY"));
        let banner = banner(url, true, "sqlite://wallex.db");
        for part in ["http://127.0.0.1:8080\n", "sqlite://wallex.db", "curl -i http://127.0.0.1"] {
            assert!(banner.contains(part), "{banner}");
        }
    }
}
