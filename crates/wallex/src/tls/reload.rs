//! The files are looked at every few seconds, and at once on SIGHUP. What changed and is in order is
//! used for new connections; what is not is said once, and the old stays.

use std::time::Duration;

use anyhow::Context as _;
use metrics::{counter, gauge};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use wallex_http_actix::Tls;
use wallex_ports::Clock as _;

use super::{Material, TlsError, TlsFiles};
use crate::adapters::SystemClock;
use crate::metrics::{TLS_CERTIFICATE_EXPIRY, TLS_RELOADS};
use crate::sentence;
use crate::signals::Stop;

/// How often the files are read: three small ones, so their content is compared, and not their
/// times, which an atomic exchange of a folder can leave as they were.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// A certificate that has less than this left should have been renewed.
const WARNING_S: i64 = 14 * 24 * 60 * 60;

/// Keeps the server's TLS up to date with its files.
pub(crate) struct Reloader {
    files: TlsFiles,
    tls: Tls,
    /// What was read last, whether it could be used or not; `None`: it could not be read.
    seen: Option<u64>,
    hang_up: Signal,
}

impl Reloader {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// When they make no TLS.
    pub(crate) fn start(files: TlsFiles) -> anyhow::Result<Self> {
        let material = Material::read(&files)?;
        let tls = Tls::new(material.config(&files)?);
        note_expiry(&material);
        let hang_up = signal(SignalKind::hangup()).context("signals can't be received")?;
        Ok(Self { files, tls, seen: Some(material.fingerprint()), hang_up })
    }

    /// The TLS that is kept up to date.
    pub(crate) fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// Looks until the process is asked to stop.
    pub(crate) async fn run(mut self, mut stop: Stop) {
        let mut look = interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.asked() => return,
                _ = look.tick() => {}
                Some(()) = self.hang_up.recv() => tracing::info!("SIGHUP: looking at the TLS files"),
            }
            let files = self.files.clone();
            let read = tokio::task::spawn_blocking(move || Material::read(&files)).await;
            self.use_what_changed(read.expect("invariant: reading files does not panic"));
        }
    }

    fn use_what_changed(&mut self, read: Result<Material, TlsError>) {
        let now = read.as_ref().ok().map(Material::fingerprint);
        if now == self.seen {
            return;
        }
        self.seen = now;
        let used = read.and_then(|material| {
            self.tls.replace(material.config(&self.files)?);
            note_expiry(&material);
            Ok(())
        });
        match used {
            Ok(()) => {
                counter!(TLS_RELOADS, "outcome" => "used").increment(1);
                tracing::info!("new connections get the TLS files that changed");
            }
            Err(error) => {
                counter!(TLS_RELOADS, "outcome" => "refused").increment(1);
                let error = sentence::chain(&error);
                tracing::warn!(error, "the TLS files changed and can't be used: the old stay");
            }
        }
    }
}

fn note_expiry(material: &Material) {
    let Some(expiry) = material.expires_at_unix_s() else { return };
    #[expect(clippy::cast_precision_loss, reason = "exact for the next hundred million years")]
    gauge!(TLS_CERTIFICATE_EXPIRY).set(expiry as f64);
    let left_s = expiry - SystemClock.now().unix_ms() / 1_000;
    if left_s <= 0 {
        tracing::warn!("the TLS certificate (WALLEX_TLS_CERT) has expired: clients refuse it");
    } else if left_s < WARNING_S {
        let days = left_s / (24 * 60 * 60);
        tracing::warn!(days, "the TLS certificate (WALLEX_TLS_CERT) expires soon");
    }
}
