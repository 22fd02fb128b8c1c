//! What traces say of the database: where it is, and what is done there.

use std::str::FromStr;

use sea_orm::DbErr;
use sqlx::postgres::PgConnectOptions;
use tracing::{Instrument as _, Span, field};

use crate::{DatabaseUrl, ErrorClass, classify};

/// Where a database is, in the words of OpenTelemetry's database conventions. It holds no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `db.system.name`: `postgresql` or `sqlite`.
    pub system: &'static str,
    /// `db.namespace`: the database's name, or the name of its file.
    pub namespace: String,
    /// `server.address` and `server.port`; a file has none.
    pub server: Option<(String, u16)>,
}

impl Place {
    pub(crate) fn of(url: &DatabaseUrl) -> Self {
        match url {
            DatabaseUrl::Sqlite { path } => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                let namespace = name.to_string_lossy().into_owned();
                Self { system: "sqlite", namespace, server: None }
            }
            DatabaseUrl::Postgres { url } => {
                let options = PgConnectOptions::from_str(url.expose()).ok();
                let name = options.as_ref().and_then(PgConnectOptions::get_database);
                let namespace = name.unwrap_or_default().to_owned();
                let server = options.map(|o| (o.get_host().to_owned(), o.get_port()));
                Self { system: "postgresql", namespace, server }
            }
        }
    }

    /// A span for `operation` on the table `collection`, of `batch` rows where it is of many. Nothing
    /// outside of any other span: a trace does not begin here.
    #[must_use]
    pub fn span(&self, operation: &'static str, collection: &'static str, batch: usize) -> Span {
        if Span::current().is_none() {
            return Span::none();
        }
        let server = self.server.as_ref();
        tracing::info_span!(
            "db",
            otel.name = %format_args!("{operation} {collection}"),
            otel.kind = "client",
            otel.status_code = field::Empty,
            db.system.name = self.system,
            db.namespace = self.namespace,
            db.operation.name = operation,
            db.collection.name = collection,
            // OpenTelemetry: of one operation it is not said.
            db.operation.batch.size = i64::try_from(batch).ok().filter(|batch| *batch > 1),
            server.address = server.map(|(address, _)| address),
            server.port = server.map(|(_, port)| i64::from(*port)),
            error.r#type = field::Empty,
        )
    }
}

/// Does `work` inside `span`, and notes on it that it failed.
///
/// # Errors
/// Those of `work`.
pub async fn within<T>(
    span: Span,
    work: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    let done = work.instrument(span.clone()).await;
    if let Err(error) = &done {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", error_type(error));
    }
    done
}

/// `error.type` of a span that failed.
#[must_use]
pub fn error_type(error: &DbErr) -> &'static str {
    match classify(error) {
        ErrorClass::Unavailable => "unavailable",
        ErrorClass::Transient => "transient",
        ErrorClass::Blocked => "blocked",
        ErrorClass::Permanent => "permanent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Place {
        Place::of(&DatabaseUrl::parse(url).expect("a URL"))
    }

    #[test]
    fn a_place_is_told_without_credentials() {
        let postgres = place("postgres://ada:canary@db.example:6432/money");
        assert_eq!(postgres.server, Some(("db.example".to_owned(), 6432)));
        assert_eq!((postgres.system, &*postgres.namespace), ("postgresql", "money"));
        assert!(!format!("{postgres:?}").contains("canary"));
        let sqlite = place("sqlite:///var/lib/wallex/wallex.db");
        let expected = Place { system: "sqlite", namespace: "wallex.db".to_owned(), server: None };
        assert_eq!(sqlite, expected);
    }
}
