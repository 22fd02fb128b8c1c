//! API keys and the audit log, on the command line.

use clap::{Args, Subcommand};
use wallex_domain::TenantId;
use wallex_ports::{AccessScope, ApiKeyId, AuditAction, KeyName};

use super::Output;

/// Ten years: a key that is to live longer has no end.
const LIFETIME_MS_MAX: u64 = 10 * 366 * MS_PER_DAY;
const MS_PER_DAY: u64 = 24 * 60 * 60 * 1_000;

/// What to do with API keys. Each of these stands in the audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// Make a key and print it: THIS ONCE, it is not stored. Servers know it at once.
    Create {
        /// What it is for, for people: 1 to 100 characters.
        #[arg(long, value_name = "TEXT")]
        name: KeyName,
        /// What it allows: wallets:read, wallets:write, transfers:write, metrics:read, admin.
        #[arg(long, value_name = "SCOPE,…", value_delimiter = ',', required = true)]
        scopes: Vec<AccessScope>,
        /// Whose wallets it is for. An `admin` of the tenant `default` operates the server.
        #[arg(long, value_name = "TENANT", default_value = "default")]
        tenant: TenantId,
        /// How long it is good: 90d, 12h, 30m or 45s. Until it is revoked when missing.
        #[arg(long, value_name = "TIME", value_parser = parse_lifetime_ms)]
        expires_in: Option<u64>,
        #[command(flatten)]
        output: Output,
    },
    /// Print every key and whether it is usable; never what its holder sends.
    List {
        /// Of one tenant only.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<TenantId>,
        #[command(flatten)]
        output: Output,
    },
    /// Make a key in the place of another, with its name, tenant and scopes, and as long a life. Both
    /// are good until the overlap is over.
    Rotate {
        /// The key, as `wallex keys list` shows it.
        id: ApiKeyId,
        /// How long the old one is good still: 24h, 30m, 0s.
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse_ms)]
        overlap: u64,
        #[command(flatten)]
        output: Output,
    },
    /// Take a key back. Every server refuses it within WALLEX_ACCESS_POLL_MS and one query.
    Revoke {
        /// The key, as `wallex keys list` shows it.
        id: ApiKeyId,
        #[command(flatten)]
        output: Output,
    },
}

/// Which lines of the audit log.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// How many, at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// Only by this actor: `key:<id>`, `cli:<user>`.
    #[arg(long, value_name = "ACTOR")]
    pub(crate) actor: Option<String>,
    /// Only this: `key.create`, `projector.stop`, `dead_letter.discard`, …
    #[arg(long, value_name = "ACTION", value_parser = parse_action)]
    pub(crate) action: Option<AuditAction>,
    /// Only what is about this tenant.
    #[arg(long, value_name = "TENANT")]
    pub(crate) tenant: Option<TenantId>,
    #[command(flatten)]
    pub(crate) output: Output,
}

fn parse_action(text: &str) -> Result<AuditAction, String> {
    AuditAction::parse(text).ok_or_else(|| {
        let names = AuditAction::ALL.map(AuditAction::as_str);
        format!("must be one of {}", names.join(", "))
    })
}

/// A length of time in milliseconds.
fn parse_ms(text: &str) -> Result<u64, String> {
    let unit_ms = match text.as_bytes().last() {
        Some(b's') => 1_000,
        Some(b'm') => 60_000,
        Some(b'h') => 3_600_000,
        Some(b'd') => MS_PER_DAY,
        _ => return Err("must be a number and s, m, h or d: 90d, 12h, 30m, 45s".to_owned()),
    };
    let digits = &text[..text.len() - 1];
    let is_plain = digits.bytes().all(|b| b.is_ascii_digit());
    let number: Option<u64> = digits.parse().ok().filter(|_| is_plain);
    number
        .and_then(|number| number.checked_mul(unit_ms))
        .filter(|ms| *ms <= LIFETIME_MS_MAX)
        .ok_or_else(|| "must be a whole number of at most ten years: 90d, 12h, 30m, 45s".to_owned())
}

fn parse_lifetime_ms(text: &str) -> Result<u64, String> {
    parse_ms(text).and_then(|ms| match ms {
        0 => Err("must be longer than nothing".to_owned()),
        ms => Ok(ms),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_a_number_and_a_unit() {
        let times = [("0s", 0), ("45s", 45_000), ("30m", 1_800_000), ("24h", 86_400_000)];
        for (text, ms) in times {
            assert_eq!(parse_ms(text), Ok(ms));
        }
        assert_eq!(parse_ms("90d"), Ok(90 * MS_PER_DAY));
        for bad in
            ["", "d", "90", "-1d", "+1d", "1.5h", "1w", "3661d", "99999999999999999999d", "1ä"]
        {
            assert!(parse_ms(bad).is_err(), "{bad}");
        }
        assert!(parse_lifetime_ms("0s").is_err());
    }
}
