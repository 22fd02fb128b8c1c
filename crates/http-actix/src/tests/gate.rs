//! A door that knows the callers that a test names, and an audit log in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use uuid::Uuid;
use wallex_ports::{
    AccessScope, Act, Admission, AuditFilter, AuditLine, AuditLog, AuditOutcome, Caller, ReadError,
    Recalled, Refused, Timestamp,
};

use super::*;

/// Open until a test names a caller.
#[derive(Default)]
pub(super) struct Gate {
    callers: Mutex<BTreeMap<String, Arc<Caller>>>,
    /// Nobody is known without asking, and the database does not answer.
    pub(super) away: AtomicBool,
}

impl Gate {
    /// Lets in whoever brings `bearer`, of `tenant` and with `scopes`.
    pub(super) fn know(&self, bearer: &str, tenant: &str, scopes: &[AccessScope]) {
        let caller = Caller {
            tenant: tenant.parse().expect("valid"),
            id: format!("key:{bearer}"),
            name: Some(format!("{bearer} of {tenant}")),
            scopes: scopes.iter().copied().collect(),
        };
        self.callers.lock().expect("sound").insert(bearer.to_owned(), Arc::new(caller));
    }
}

impl Gate {
    /// Lets nobody in with `bearer` any more.
    pub(super) fn forget(&self, bearer: &str) {
        self.callers.lock().expect("sound").remove(bearer);
    }
}

#[async_trait]
impl Admission for Gate {
    fn recall(&self, _: Option<&str>) -> Recalled {
        None
    }

    async fn admit(&self, bearer: Option<&str>) -> Result<Arc<Caller>, Refused> {
        if self.away.load(Ordering::SeqCst) {
            return Err(ReadError::Unavailable("connection refused".into()).into());
        }
        let callers = self.callers.lock().expect("sound");
        match bearer {
            None if callers.is_empty() => Ok(Arc::new(Caller::open())),
            None => Err(Refused::Missing),
            Some("expired") => Err(Refused::Expired),
            Some("revoked") => Err(Refused::Revoked),
            Some(bearer) => callers.get(bearer).cloned().ok_or(Refused::Unknown),
        }
    }
}

/// An audit log.
#[derive(Default)]
pub(super) struct Journal {
    lines: Mutex<Vec<AuditLine>>,
    /// It can't be written.
    pub(super) away: AtomicBool,
    /// It can't be written once an act has begun.
    pub(super) breaks_off: AtomicBool,
}

impl Journal {
    /// What stands in it, oldest first: who, what, to what, and how far it came.
    pub(super) fn told(&self) -> Vec<String> {
        let told = |line: &AuditLine| {
            let AuditLine { actor, action, target, outcome, .. } = line;
            format!("{} {actor} {action} {target} {}", line.tenant, outcome.as_str())
        };
        self.lines.lock().expect("sound").iter().map(told).collect()
    }

    fn write(&self, act_id: Uuid, act: &Act, outcome: AuditOutcome, details: &str) {
        let mut lines = self.lines.lock().expect("sound");
        let position = lines.len() as u64 + 1;
        lines.push(AuditLine {
            position,
            act_id,
            at: Timestamp::from_unix_ms(1_767_225_600_007),
            tenant: act.tenant.clone(),
            actor: act.actor.id.clone(),
            action: act.action.to_string(),
            target: act.target.clone(),
            outcome,
            details: details.to_owned(),
            correlation_id: act.actor.correlation_id.as_ref().map(ToString::to_string),
        });
    }

    fn reachable(&self, is_away: &AtomicBool) -> Result<(), ReadError> {
        match is_away.load(Ordering::SeqCst) {
            true => Err(ReadError::Unavailable("connection refused".into())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl AuditLog for Journal {
    async fn begin(&self, act: &Act) -> Result<Uuid, ReadError> {
        self.reachable(&self.away)?;
        let act_id = Uuid::from_u128(self.told().len() as u128 + 1);
        self.write(act_id, act, AuditOutcome::Requested, &act.details);
        Ok(act_id)
    }

    async fn end(
        &self,
        act_id: Uuid,
        act: &Act,
        outcome: AuditOutcome,
        details: &str,
    ) -> Result<(), ReadError> {
        self.reachable(&self.breaks_off)?;
        self.write(act_id, act, outcome, details);
        Ok(())
    }

    async fn list(&self, filter: &AuditFilter, limit: u32) -> Result<Vec<AuditLine>, ReadError> {
        self.reachable(&self.away)?;
        let lines = self.lines.lock().expect("sound");
        let wanted = lines.iter().rev().filter(|line| {
            filter.tenant.as_ref().is_none_or(|tenant| *tenant == line.tenant)
                && filter.actor.as_ref().is_none_or(|actor| *actor == line.actor)
                && filter.action.is_none_or(|action| action.as_str() == line.action)
                && filter.below.is_none_or(|below| line.position < below)
        });
        Ok(wanted.take(limit as usize).cloned().collect())
    }
}
