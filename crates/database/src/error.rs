//! What an error of the database means for the one who caused it.
//!
//! `DbErr::sql_err()` knows unique and foreign-key violations only; what matters here is whether
//! trying again can help, and whether the connection is gone.

use sea_orm::{DbErr, RuntimeErr, SqlErr};
use sqlx::Error as SqlxError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};
use wallex_ports::{NotMigrated, ReadError};

/// What an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The connection is gone, or none could be had: the database is down, restarting, or full.
    Unavailable,
    /// The database gave the statement up, and trying again at once may work.
    Transient,
    /// Somebody held what the statement needed for longer than it may wait. To try again at once
    /// would be to wait as long again.
    Blocked,
    /// The statement or its data is wrong; trying again won't help.
    Permanent,
}

/// Classifies `error`.
#[must_use]
pub fn classify(error: &DbErr) -> ErrorClass {
    match error {
        DbErr::ConnectionAcquire(_) => ErrorClass::Unavailable,
        DbErr::Conn(RuntimeErr::SqlxError(source))
        | DbErr::Exec(RuntimeErr::SqlxError(source))
        | DbErr::Query(RuntimeErr::SqlxError(source)) => classify_sqlx(source),
        _ => ErrorClass::Permanent,
    }
}

fn classify_sqlx(error: &SqlxError) -> ErrorClass {
    match error {
        SqlxError::Database(database) => {
            let code = database.code().unwrap_or_default();
            match database.try_downcast_ref::<PgDatabaseError>() {
                Some(postgres) => classify_postgres(postgres.severity(), &code),
                None => classify_sqlite(&code),
            }
        }
        SqlxError::Io(_)
        | SqlxError::Tls(_)
        | SqlxError::Protocol(_)
        | SqlxError::PoolTimedOut
        | SqlxError::PoolClosed
        | SqlxError::WorkerCrashed
        | SqlxError::BeginFailed => ErrorClass::Unavailable,
        _ => ErrorClass::Permanent,
    }
}

/// By SQLSTATE class (PostgreSQL documentation, appendix A). More than an ERROR ends the session, or lets none
/// begin, whatever for: a password that was changed, a database that lets nobody in.
fn classify_postgres(severity: PgSeverity, sqlstate: &str) -> ErrorClass {
    match sqlstate {
        _ if matches!(severity, PgSeverity::Fatal | PgSeverity::Panic) => ErrorClass::Unavailable,
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => ErrorClass::Transient,
        // lock_not_available, query_canceled: both after a timeout
        "55P03" | "57014" => ErrorClass::Blocked,
        // too_many_connections, cannot_connect_now and the shutdowns, read_only_sql_transaction
        // (a standby that was just promoted), disk_full and out_of_memory, idle timeouts, I/O
        "25006" | "25P03" => ErrorClass::Unavailable,
        _ if ["08", "53", "57", "58"].iter().any(|class| sqlstate.starts_with(class)) => {
            ErrorClass::Unavailable
        }
        _ => ErrorClass::Permanent,
    }
}

/// By primary result code, the low byte of the extended one (sqlite.org/rescode.html).
fn classify_sqlite(code: &str) -> ErrorClass {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const NOMEM: u32 = 7;
    const READONLY: u32 = 8;
    const IOERR: u32 = 10;
    const FULL: u32 = 13;
    const CANTOPEN: u32 = 14;
    match code.parse::<u32>().map(|code| code & 0xff) {
        // After the busy timeout.
        Ok(BUSY | LOCKED) => ErrorClass::Blocked,
        Ok(NOMEM | READONLY | IOERR | FULL | CANTOPEN) => ErrorClass::Unavailable,
        _ => ErrorClass::Permanent,
    }
}

/// Whether what was asked may have been done although this came back, because the answer was lost. It was
/// not when no connection was had to ask on, or the database itself refused.
#[must_use]
pub fn is_answer_lost(error: &DbErr) -> bool {
    match error {
        // These are errors of the pool: nothing was sent.
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => false,
        DbErr::Exec(RuntimeErr::SqlxError(source))
        | DbErr::Query(RuntimeErr::SqlxError(source)) => {
            let SqlxError::Database(database) = &**source else {
                return classify_sqlx(source) == ErrorClass::Unavailable;
            };
            match database.try_downcast_ref::<PgDatabaseError>() {
                Some(refused) => !is_refusal(refused.severity(), refused.code()),
                // A COMMIT that failed on an I/O error.
                None => classify_sqlx(source) == ErrorClass::Unavailable,
            }
        }
        _ => false,
    }
}

/// Whether PostgreSQL took the transaction back. An ERROR does, while a session that ends with more than that
/// may end behind its commit; what is in between may say ERROR when it has lost the server.
fn is_refusal(severity: PgSeverity, sqlstate: &str) -> bool {
    let is_connection = ["08", "57P", "58"].iter().any(|class| sqlstate.starts_with(class));
    severity == PgSeverity::Error && !is_connection
}

/// Whether a row is there already whose key an insert has.
#[must_use]
pub fn is_taken(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Whether a table or a column is not there: the schema was taken back under a running process, or
/// one was renamed by hand.
#[must_use]
pub fn is_undefined(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source))) =
        error
    else {
        return false;
    };
    let SqlxError::Database(database) = &**source else { return false };
    let code = database.code().unwrap_or_default();
    match database.try_downcast_ref::<PgDatabaseError>() {
        // undefined_table, undefined_column
        Some(_) => ["42P01", "42703"].contains(&&*code),
        // SQLite has one code for all that is wrong with a statement.
        None => {
            let message = database.message();
            message.starts_with("no such ") || message.contains(" has no column named ")
        }
    }
}

/// The port's error for a read that failed.
#[must_use]
pub fn read_error(error: DbErr) -> ReadError {
    if is_undefined(&error) {
        return ReadError::Unavailable(NotMigrated.into());
    }
    match classify(&error) {
        ErrorClass::Unavailable | ErrorClass::Transient | ErrorClass::Blocked => {
            ReadError::Unavailable(error.into())
        }
        ErrorClass::Permanent => ReadError::Storage(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnAcquireErr;

    use super::*;

    #[test]
    fn postgres_codes_are_told_apart() {
        for (sqlstate, class) in [
            ("40001", ErrorClass::Transient),
            ("40P01", ErrorClass::Transient),
            ("57P01", ErrorClass::Unavailable),
            ("57014", ErrorClass::Blocked),
            ("55P03", ErrorClass::Blocked),
            ("53100", ErrorClass::Unavailable),
            ("08006", ErrorClass::Unavailable),
            ("22P05", ErrorClass::Permanent),
            ("23505", ErrorClass::Permanent),
            ("42P01", ErrorClass::Permanent),
        ] {
            assert_eq!(classify_postgres(PgSeverity::Error, sqlstate), class, "{sqlstate}");
        }
        for sqlstate in ["28P01", "3D000", "55000", "57P01"] {
            let class = classify_postgres(PgSeverity::Fatal, sqlstate);
            assert_eq!(class, ErrorClass::Unavailable, "{sqlstate}");
        }
    }

    #[test]
    fn only_an_error_takes_a_transaction_back_for_sure() {
        for (severity, sqlstate, refusal) in [
            (PgSeverity::Error, "53100", true),
            (PgSeverity::Error, "57014", true),
            (PgSeverity::Error, "23505", true),
            (PgSeverity::Error, "08006", false),
            (PgSeverity::Error, "57P01", false),
            (PgSeverity::Error, "58000", false),
            (PgSeverity::Fatal, "53300", false),
            (PgSeverity::Fatal, "57P01", false),
            (PgSeverity::Panic, "53100", false),
        ] {
            assert_eq!(is_refusal(severity, sqlstate), refusal, "{sqlstate}");
        }
        assert!(!is_answer_lost(&DbErr::Conn(RuntimeErr::SqlxError(SqlxError::PoolClosed.into()))));
        assert!(!is_answer_lost(&DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)));
        assert!(!is_answer_lost(&DbErr::Custom("refused".to_owned())));
        let failed = |error: SqlxError| DbErr::Query(RuntimeErr::SqlxError(error.into()));
        assert!(!is_answer_lost(&failed(SqlxError::RowNotFound)));
        let lost = SqlxError::Io(std::io::ErrorKind::ConnectionReset.into());
        assert!(is_answer_lost(&failed(lost)));
    }

    #[test]
    fn sqlite_codes_are_told_apart() {
        for (code, class) in [
            ("5", ErrorClass::Blocked),
            ("517", ErrorClass::Blocked),
            ("13", ErrorClass::Unavailable),
            ("778", ErrorClass::Unavailable),
            ("1555", ErrorClass::Permanent),
            ("", ErrorClass::Permanent),
        ] {
            assert_eq!(classify_sqlite(code), class, "{code}");
        }
    }
}
